// commands_of(): follows programs that start another program given in their arguments.
#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "agent/shell_text.h"

namespace levin::agent {
namespace {

using Words = std::vector<ShellWord>;

// A program whose arguments end in a command line.
struct Wrapper {
  std::string_view name;
  std::string_view value_options;  // Letters of short options that take the next word.
  size_t operands;                 // Words between the options and the command.
};

constexpr std::array<Wrapper, 21> kWrappers = {{{"builtin", "", 0},
                                                {"chroot", "", 1},
                                                {"command", "", 0},
                                                {"coproc", "", 0},
                                                {"doas", "uC", 0},
                                                {"env", "uC", 0},
                                                {"exec", "a", 0},
                                                {"flock", "wE", 1},
                                                {"ionice", "cnpPu", 0},
                                                {"nice", "n", 0},
                                                {"nohup", "", 0},
                                                {"setsid", "", 0},
                                                {"stdbuf", "ioe", 0},
                                                {"strace", "eopsSaEuIPbOX", 0},
                                                {"sudo", "ughpCcDRrtTU", 0},
                                                {"taskset", "", 1},
                                                {"time", "of", 0},
                                                {"timeout", "sk", 1},
                                                {"unshare", "", 0},
                                                {"watch", "nq", 0},
                                                {"xargs", "aEeIiLlnPsd", 0}}};

constexpr std::array<std::string_view, 6> kShells = {"ash", "bash", "dash", "ksh", "sh", "zsh"};

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_assignment(const std::string& word) {
  const size_t equals = word.find('=');
  return equals != std::string::npos && equals > 0 &&
         std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](unsigned char byte) { return std::isalnum(byte) != 0 || byte == '_'; });
}

Error not_known(const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, what + " is only known when it runs");
}

// Index of the first word behind the options. `letters`: short options that take the next word.
size_t skip_options(const Words& words, size_t index, std::string_view letters) {
  while (index < words.size() && words[index].text.starts_with('-') && words[index].text != "-") {
    const std::string& option = words[index++].text;
    if (option == "--") break;
    if (option.starts_with("--")) continue;
    // "-n5" holds its value, "-n" takes the next word.
    if (letters.find(option.back()) != std::string_view::npos && option.size() == 2) ++index;
  }
  return std::min(index, words.size());
}

class Unwrapper {
 public:
  Result<void> add(SimpleCommand command, int depth) {
    if (depth > kShellDepthMax || found_.size() >= kShellCommandsMax) {
      return Error(ErrorCode::kLimit, "too many commands start each other");
    }
    found_.push_back(command);
    if (command.words.empty()) return {};
    if (command.words[0].kind != ShellWord::Kind::kFixed) return {};
    const std::string name = base_name(command.words[0].text);
    if (std::find(kShells.begin(), kShells.end(), name) != kShells.end()) {
      return shell(command, depth);
    }
    if (name == "eval") return text_of(command.words, 1, command.words.size(), depth);
    if (name == "trap") return trap(command, depth);
    if (name == "find" || name == "fd") return find_exec(command, depth);
    for (const Wrapper& wrapper : kWrappers) {
      if (wrapper.name == name) return wrapped(command, wrapper, depth);
    }
    return {};
  }

  Result<void> add_text(const std::string& text, int depth) {
    TRY_ASSIGN(std::vector<SimpleCommand> commands, parse_shell(text));
    for (SimpleCommand& command : commands) TRY(add(std::move(command), depth));
    return {};
  }

  std::vector<SimpleCommand> take() { return std::move(found_); }

 private:
  // Words [begin, end) joined are shell text.
  Result<void> text_of(const Words& words, size_t begin, size_t end, int depth) {
    std::string text;
    for (size_t index = begin; index < end; ++index) {
      if (words[index].kind != ShellWord::Kind::kFixed) return not_known("what a shell is given");
      text += (index > begin ? " " : "") + words[index].text;
    }
    return add_text(text, depth + 1);
  }

  // sh [options] -c TEXT: the option may hide among others ("-lc").
  Result<void> shell(const SimpleCommand& command, int depth) {
    const Words& words = command.words;
    bool is_text = false;
    size_t index = 1;
    for (; index < words.size(); ++index) {
      const std::string& word = words[index].text;
      if (words[index].kind == ShellWord::Kind::kOpen && word.empty()) {
        return not_known("what a shell is given");
      }
      if (!word.starts_with('-') && !word.starts_with('+')) break;
      if (word == "--") {
        ++index;
        break;
      }
      if (word == "--rcfile" || word == "--init-file" || word == "-O" || word == "-o") ++index;
      if (!word.starts_with("--") && word.starts_with('-')) {
        is_text |= word.find('c') != std::string::npos;
      }
    }
    if (!is_text) return {};
    if (index >= words.size()) return {};
    return text_of(words, index, index + 1, depth);
  }

  Result<void> trap(const SimpleCommand& command, int depth) {
    const Words& words = command.words;
    size_t index = 1;
    if (index < words.size() && words[index].text == "--") ++index;
    if (words.size() < index + 2 || words[index].text.starts_with('-')) return {};
    return text_of(words, index, index + 1, depth);
  }

  Result<void> find_exec(const SimpleCommand& command, int depth) {
    const Words& words = command.words;
    for (size_t index = 1; index < words.size(); ++index) {
      const std::string& word = words[index].text;
      if (word != "-exec" && word != "-execdir" && word != "-ok" && word != "-okdir" &&
          word != "-x" && word != "-X" && word != "--exec" && word != "--exec-batch") {
        continue;
      }
      SimpleCommand inner;
      for (++index; index < words.size() && words[index].text != ";" && words[index].text != "+";
           ++index) {
        inner.words.push_back(words[index]);
        // Stands for names that are found.
        if (words[index].text.find("{}") != std::string::npos) {
          inner.words.back().kind = ShellWord::Kind::kOpen;
          inner.words.back().text = words[index].text.substr(0, words[index].text.find("{}"));
        }
      }
      TRY(add(std::move(inner), depth + 1));
    }
    return {};
  }

  Result<void> wrapped(const SimpleCommand& command, const Wrapper& wrapper, int depth) {
    const Words& words = command.words;
    if (wrapper.name == "command" && words.size() > 1 &&
        (words[1].text == "-v" || words[1].text == "-V")) {
      return {};
    }
    for (const ShellWord& word : words) {
      const bool is_split = wrapper.name == "env" &&
                            (word.text.starts_with("-S") || word.text.starts_with("--split"));
      if (is_split) return not_known("what env splits");
    }
    size_t index = skip_options(words, 1, wrapper.value_options);
    SimpleCommand inner;
    inner.assigned = command.assigned;
    while (index < words.size() && (wrapper.name == "env" || wrapper.name == "sudo") &&
           is_assignment(words[index].text)) {
      inner.assigned.push_back(words[index].text.substr(0, words[index].text.find('=')));
      ++index;
    }
    index = std::min(index + wrapper.operands, words.size());
    if (wrapper.name == "flock") index = skip_options(words, index, "");
    inner.words.assign(words.begin() + static_cast<std::ptrdiff_t>(index), words.end());
    inner.takes_more = command.takes_more || wrapper.name == "xargs";
    if (wrapper.name == "flock" && index > 0 && words[index - 1].text == "-c") {
      return text_of(words, index, words.size(), depth);
    }
    if (wrapper.name == "watch" && inner.words.size() == 1) {
      return text_of(words, index, words.size(), depth);
    }
    if (inner.words.empty()) return {};
    return add(std::move(inner), depth + 1);
  }

  std::vector<SimpleCommand> found_;
};

}  // namespace

Result<std::vector<SimpleCommand>> commands_of(std::string_view text) {
  Unwrapper unwrapper;
  TRY(unwrapper.add_text(std::string(text), 0));
  return unwrapper.take();
}

}  // namespace levin::agent
