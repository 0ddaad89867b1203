// What the index knows of one folder: one row of the database. A changed file rewrites its folder's
// row and nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/index/tagger.h"

namespace levin::tools {

// Tells whether a file changed since it was read. Equal stamps: it did not.
struct FileStamp {
  uint64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;
  uint64_t inode = 0;

  bool operator==(const FileStamp&) const = default;
};

struct FileRecord {
  std::string name;
  FileStamp stamp;
  FileState state = FileState::kTagged;
  uint32_t definition_count = 0;  // In FolderRecord::tags.
  uint32_t tags_size = 0;
  uint32_t defined_count = 0;  // In FolderRecord::defined.
  uint32_t reference_count = 0;
};

// The lists hold the files' parts one after the other, in the order of `files`.
// The lists are read from the database only when needed: see IndexStore::load_lists().
struct FolderRecord {
  std::string path;               // "" for the root.
  uint64_t generation = 0;        // Of the database, when this was written.
  std::vector<FileRecord> files;  // By name.
  bool has_lists = true;          // The three that follow.
  std::vector<uint32_t> defined;  // Hashes of names; sorted within a file.
  std::vector<uint32_t> reference_names;
  std::vector<uint8_t> reference_weights;
  std::string tags;  // encode_definitions() of each file. Read apart, too.
};

// Appends a file with its tags.
void append_file(FolderRecord& folder, std::string_view name, const FileStamp& stamp,
                 const Tags& tags);

// Where a file's parts begin.
struct FilePlace {
  size_t tags = 0;
  size_t defined = 0;
  size_t references = 0;

  void pass(const FileRecord& file) {
    tags += file.tags_size;
    defined += file.defined_count;
    references += file.reference_count;
  }
};

// Appends a file as it is in another record. `from` has its tags read.
void copy_file(FolderRecord& folder, const FolderRecord& from, size_t index,
               const FilePlace& place);

// The row's columns `files` and `graph`; `tags` is stored as it is.
std::string encode_files(const FolderRecord& folder);
std::string encode_graph(const FolderRecord& folder);

// Errors: kCorrupt when the bytes are not what encode_files() and encode_graph() make, or do not
// fit together. Any bytes are allowed. decode_files() leaves out the lists, decode_lists() adds
// them.
Result<FolderRecord> decode_files(std::string path, std::string_view files);
Result<void> decode_lists(FolderRecord& folder, std::string_view graph);

// Definitions of one file. Errors: kCorrupt.
std::string encode_definitions(const std::vector<Definition>& definitions);
Result<std::vector<Definition>> decode_definitions(std::string_view bytes);

// Takes the lists back out.
void drop_lists(FolderRecord& folder);

// "folder/name", or the name alone in the root.
std::string file_path(const FolderRecord& folder, const FileRecord& file);

}  // namespace levin::tools
