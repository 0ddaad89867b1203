// The words of a specification: what may be done with a page and what may be expected of it. Each is
// a function; docs/formats/web_spec.md is their manual.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/web/page.h"
#include "tools/web_spec.h"

namespace levin::tools::web {

// A check while it runs. Borrows.
struct CheckContext {
  Page& page;
  const WebCheck& check;
  std::string before;               // What the page looked like before the check's actions.
  std::vector<std::string> frames;  // PNG, base64: become a filmstrip.
};

// The text is empty when it worked, or says what was expected and what was found. An Error means
// that the page can't go on, or that a script of the specification failed.
using Verb = Result<std::string> (*)(CheckContext& context, const Json& step);

struct VerbEntry {
  std::string_view name;
  std::string_view other_keys;  // Allowed beside the verb, separated by blanks.
  Verb run;
};

// Null when `step` names none or has a key that does not belong to it.
const VerbEntry* find_action(const Json& step);
const VerbEntry* find_expectation(const Json& step);

// For messages: names, separated by commas.
std::string action_names();
std::string expectation_names();

// How a target is named in a message.
std::string target_words(const Json& target);

// Of larger areas, in files of their own.
Result<std::string> do_submit(CheckContext& context, const Json& step);
Result<std::string> do_send(CheckContext& context, const Json& step);
Result<std::string> do_complete(CheckContext& context, const Json& step);
Result<std::string> do_remove(CheckContext& context, const Json& step);
Result<std::string> expect_complains(CheckContext& context, const Json& step);
Result<std::string> expect_typing(CheckContext& context, const Json& step);
Result<std::string> expect_maze(CheckContext& context, const Json& step);

}  // namespace levin::tools::web
