// What one file defines and what it refers to, found by tree-sitter and the queries. No files are
// opened here: text in, tags out.
//
// Captures of the queries: @definition.KIND with @name inside it, @reference. A word may follow
// @name or @reference. Only names of that shape count: .constant (capitals, no small letter),
// .capital (first letter), .custom (begins with --), .words (each word of it is one name). Or it
// says what a reference can mean: .type (types alone, so that `std::string` is no use of a function
// `string`), .member (of whatever object, which says less). Of the predicates only #eq? with a text
// is known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/index/languages.h"

namespace levin::tools {

inline constexpr size_t kIndexedBytesMax = 1 << 20;           // Larger files are named, not parsed.
inline constexpr uint64_t kParseMicrosecondsMax = 2'000'000;  // Of one file.
inline constexpr size_t kNameBytesMax = 200;                  // Longer names are no names.
inline constexpr size_t kDefinitionsMax = 20'000;             // Of one file.
inline constexpr size_t kReferencesMax = 192;                 // The weightiest ones of one file.
inline constexpr uint32_t kMatchesAtOnceMax = 256;            // That a query keeps unfinished.

struct Definition {
  std::string name;
  uint8_t kind = 0;   // Index into kind_names().
  uint32_t line = 0;  // Of the name, from 1.
};

// A name that the file uses and does not define. Two names may share a hash: at worst a file is
// ranked a little too high.
struct Reference {
  uint32_t name_hash = 0;
  uint8_t weight = 0;  // Grows with the root of the count; more for telling names.
};

// Stored: never renumber.
enum class FileState : uint8_t {
  kTagged = 0,
  kTooLarge = 1,
  kBinary = 2,
  kGaveUp = 3,
  kUnreadable = 4
};

struct Tags {
  FileState state = FileState::kTagged;
  std::vector<Definition> definitions;   // By line.
  std::vector<uint32_t> defined_hashes;  // Sorted, each once.
  std::vector<Reference> references;     // By hash.
};

// "function", "class" ...: what stands behind @definition. in the queries.
std::vector<std::string_view> kind_names();

// Types have names of their own: a reference that can mean both is two references.
uint32_t name_hash(std::string_view name, Family family, bool is_type);
uint32_t definition_hash(const Definition& definition, Family family);
bool is_type_kind(uint8_t kind);

// One thread's parser. A language's queries are compiled when they are first needed.
class Tagger {
 public:
  Tagger();
  ~Tagger();
  Tagger(Tagger&&) noexcept;
  Tagger& operator=(Tagger&&) noexcept;

  Tags tag(const Language& language, std::string_view content);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Names the first query that its grammar refuses, or that uses what the tagger does not know. For
// tests: such a query is a bug of ours, and finds nothing.
Result<void> check_queries();

}  // namespace levin::tools
