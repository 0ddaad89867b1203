// The index's database: an SQLite file with one row per folder. In WAL mode a process that is
// killed leaves the last whole transaction; several processes may use it at once. Each transaction
// that writes has a generation of its own, one more than the one before.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/index/folder_record.h"

struct sqlite3;
struct sqlite3_stmt;

namespace levin::tools {

inline constexpr int kBusyMillisecondsMax = 10'000;  // Waiting for another process's transaction.

// Not thread-safe.
class IndexStore {
 public:
  // Opens or makes the database at `path`; empty: one in memory. One that is damaged, of another
  // version or of another `root` is replaced by an empty one, and `note` says so (unchanged
  // otherwise). Missing folders are made (0700). Errors: kIo.
  static Result<IndexStore> open(const std::string& path, const std::string& root,
                                 std::string& note);

  // Removes the files of a database, the graph's included.
  static void discard(const std::string& path);

  // All folders by path, without their lists and tags. Errors: kCorrupt, kIo, as for all members.
  Result<std::vector<FolderRecord>> load();
  // The lists of one folder, or of all that lack them. kLimit when another process has written a
  // folder since load(): what is in memory is old.
  Result<void> load_lists(FolderRecord& folder) const;
  Result<void> load_all_lists(std::vector<FolderRecord>& folders) const;
  Result<std::string> load_tags(const std::string& folder) const;
  // Calls `visit` for each folder in the order of paths, with tags, until it returns false.
  Result<void> visit(const std::function<bool(const FolderRecord&)>& visit) const;

  Result<void> begin();
  Result<void> commit();
  Result<void> put(FolderRecord& folder);  // Gives it the transaction's generation.
  Result<void> remove(const std::string& folder);

  // Small extra values, by name. An absent one is empty.
  Result<std::string> value(const std::string& key) const;
  Result<void> put_value(const std::string& key, std::string_view value);

  uint64_t id() const { return id_; }                  // Random, of this database.
  uint64_t generation() const { return generation_; }  // Of what was loaded, or written since.
  // Whether another process wrote between load() and begin().
  bool is_shared() const { return is_shared_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  IndexStore() = default;
  static Result<IndexStore> open_file(const std::string& path);
  Result<std::string> check_identity(const std::string& root);
  Result<void> run(const char* sql);
  static Result<void> take_lists(sqlite3_stmt* row, FolderRecord& folder);
  Result<Statement> prepare(const char* sql) const;
  Error problem(const char* doing) const;
  Result<uint64_t> stored_generation() const;

  uint64_t id_ = 0;
  uint64_t generation_ = 0;
  bool is_shared_ = false;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace levin::tools
