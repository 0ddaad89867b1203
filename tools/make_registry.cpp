// Apart from registry.cpp, so that a program without commands need not link the sandbox.
#include "tools/entries.h"

namespace levin::tools {

Registry make_registry() {
  return Registry({bash_tool(), read_tool(), search_tool(), edit_tool(), write_tool(),
                   apply_patch_tool(), test_tool(), web_check_tool()});
}

}  // namespace levin::tools
