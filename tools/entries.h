// The tools one by one, for make_registry() and for tests that need only some of them.
#pragma once

#include <string_view>

#include "tools/registry.h"

namespace levin::tools {

inline constexpr std::string_view kBashExample = R"({"command":"ls"})";
inline constexpr std::string_view kReadExample = R"({"path":"a.py"})";
inline constexpr std::string_view kSearchExample = R"({"pattern":"main"})";
inline constexpr std::string_view kEditExample =
    R"({"path":"a.py","edits":[{"old":"x","new":"y"}]})";
inline constexpr std::string_view kWriteExample = R"({"path":"a.py","content":"x"})";

inline constexpr std::string_view kApplyPatchExample =
    R"({"patch":"*** Begin Patch\n*** Delete File: a.py\n*** End Patch"})";
inline constexpr std::string_view kWebCheckExample =
    R"({"actions":[{"click":"#start"}],"expect":[{"text":"h1","matches":"Ready"}]})";
inline constexpr std::string_view kTestExample = R"({"command":"make test"})";

ToolEntry bash_tool();
ToolEntry read_tool();
ToolEntry search_tool();
ToolEntry edit_tool();
ToolEntry write_tool();
ToolEntry apply_patch_tool();
ToolEntry test_tool();
ToolEntry web_check_tool();

}  // namespace levin::tools
