#include "tools/index/index_store.h"

#include <sqlite3.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/file_io.h"
#include "tools/index/graph_file.h"

namespace levin::tools {
namespace {

// Raised when the meaning of a row changes, and when a query or a limit does: then all files are
// parsed again.
constexpr const char* kVersion = "3";

constexpr const char* kIdKey = "id";
constexpr const char* kGenerationKey = "generation";

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS folder("
    " path TEXT PRIMARY KEY, generation INTEGER NOT NULL, files BLOB NOT NULL,"
    " graph BLOB NOT NULL, tags BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS value(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

std::string_view column(sqlite3_stmt* statement, int index) {
  const void* const data = sqlite3_column_blob(statement, index);
  const int size = sqlite3_column_bytes(statement, index);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

int bind_bytes(sqlite3_stmt* statement, int index, std::string_view bytes) {
  // A null pointer would bind NULL.
  const char* const data = bytes.empty() ? "" : bytes.data();
  return sqlite3_bind_blob64(statement, index, data, bytes.size(), SQLITE_STATIC);
}

int bind_text(sqlite3_stmt* statement, int index, const std::string& text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

}  // namespace

void IndexStore::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

void IndexStore::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Error IndexStore::problem(const char* doing) const {
  const int code = sqlite3_errcode(database_.get());
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  return Error(damaged ? ErrorCode::kCorrupt : ErrorCode::kIo,
               std::string("index database: ") + doing + ": " + sqlite3_errmsg(database_.get()));
}

Result<void> IndexStore::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return problem(sql);
  }
  return {};
}

Result<IndexStore::Statement> IndexStore::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) {
    return problem(sql);
  }
  return Statement(statement);
}

Result<IndexStore> IndexStore::open_file(const std::string& path) {
  IndexStore store;
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code =
      sqlite3_open_v2(path.empty() ? ":memory:" : path.c_str(), &database, flags, nullptr);
  store.database_.reset(database);
  if (code != SQLITE_OK) return store.problem("opening it");
  sqlite3_busy_timeout(database, kBusyMillisecondsMax);
  // Names and source text are in it: nobody else's business.
  if (!path.empty()) ::chmod(path.c_str(), 0600);
  // Rows are tens of kilobytes: large pages. In WAL mode synchronous=NORMAL can lose the last
  // transactions at a power failure, never the database.
  // Else each call that wrote would end with a checkpoint, which waits for the disk: it comes when
  // the log has grown.
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  TRY(store.run("PRAGMA page_size=16384"));
  TRY(store.run("PRAGMA journal_mode=WAL"));
  TRY(store.run("PRAGMA synchronous=NORMAL"));
  TRY(store.run(kSchema));
  return store;
}

// The reason why what it holds cannot be used; empty when it can, or when it is new.
Result<std::string> IndexStore::check_identity(const std::string& root) {
  TRY_ASSIGN(const std::string version, value("version"));
  TRY_ASSIGN(const std::string old_root, value("root"));
  if (version.empty() && old_root.empty()) {
    if (::getrandom(&id_, sizeof id_, 0) != sizeof id_) {
      return Error(ErrorCode::kIo, "index database: no random number");
    }
    TRY(put_value(kIdKey, std::to_string(id_)));
    TRY(put_value("version", kVersion));
    TRY(put_value("root", root));
    return std::string();
  }
  if (version != kVersion) return std::string("it was made by another version of levin");
  if (old_root != root) return "it belongs to " + old_root;
  TRY_ASSIGN(const std::string id, value(kIdKey));
  const char* const end = id.data() + id.size();
  if (std::from_chars(id.data(), end, id_).ptr != end || id.empty()) {
    return std::string("its number is damaged");
  }
  return std::string();
}

void IndexStore::discard(const std::string& path) {
  if (path.empty()) return;
  for (const char* ending : {"", "-wal", "-shm", "-journal", kGraphFileEnding}) {
    ::unlink((path + ending).c_str());
  }
}

Result<IndexStore> IndexStore::open(const std::string& path, const std::string& root,
                                    std::string& note) {
  if (!path.empty()) TRY(make_directories(path.substr(0, path.rfind('/'))));
  std::string reason;
  {
    Result<IndexStore> store = open_file(path);
    if (!store && store.error().code() != ErrorCode::kCorrupt) return std::move(store).error();
    if (store) {
      Result<std::string> found = store->check_identity(root);
      if (found && found->empty()) return store;
      if (!found && found.error().code() != ErrorCode::kCorrupt) return std::move(found).error();
      reason = found ? *found : found.error().message();
    } else {
      reason = store.error().message();
    }
  }
  discard(path);
  note = "the index was made anew: " + reason;
  TRY_ASSIGN(IndexStore store, open_file(path));
  TRY_ASSIGN(const std::string still, store.check_identity(root));
  if (!still.empty()) return Error(ErrorCode::kIo, "index database " + path + ": " + still);
  return store;
}

Result<uint64_t> IndexStore::stored_generation() const {
  TRY_ASSIGN(const std::string text, value(kGenerationKey));
  uint64_t generation = 0;
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data(), end, generation).ptr != end) {
    return Error(ErrorCode::kCorrupt, "index database: its generation is damaged");
  }
  return generation;
}

Result<std::vector<FolderRecord>> IndexStore::load() {
  TRY(run("BEGIN"));  // One state of the database for both.
  TRY_ASSIGN(generation_, stored_generation());
  std::vector<FolderRecord> folders;
  {
    TRY_ASSIGN(const Statement statement, prepare("SELECT path, files, generation FROM folder"));
    int code = 0;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
      TRY_ASSIGN(FolderRecord folder,
                 decode_files(std::string(column(statement.get(), 0)), column(statement.get(), 1)));
      folder.generation = static_cast<uint64_t>(sqlite3_column_int64(statement.get(), 2));
      folders.push_back(std::move(folder));
    }
    if (code != SQLITE_DONE) return problem("reading it");
  }
  TRY(run("COMMIT"));
  std::sort(folders.begin(), folders.end(),
            [](const FolderRecord& a, const FolderRecord& b) { return a.path < b.path; });
  return folders;
}

// Reads the lists from a row of (path, generation, graph).
Result<void> IndexStore::take_lists(sqlite3_stmt* row, FolderRecord& folder) {
  if (static_cast<uint64_t>(sqlite3_column_int64(row, 1)) != folder.generation) {
    return Error(ErrorCode::kLimit, "another process writes the index");
  }
  return decode_lists(folder, column(row, 2));
}

Result<void> IndexStore::load_lists(FolderRecord& folder) const {
  TRY_ASSIGN(const Statement statement,
             prepare("SELECT path, generation, graph FROM folder WHERE path=?"));
  bind_text(statement.get(), 1, folder.path);
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_ROW) return take_lists(statement.get(), folder);
  if (code != SQLITE_DONE) return problem("reading lists");
  return Error(ErrorCode::kLimit, "another process writes the index");
}

Result<void> IndexStore::load_all_lists(std::vector<FolderRecord>& folders) const {
  TRY_ASSIGN(const Statement statement, prepare("SELECT path, generation, graph FROM folder"));
  int code = 0;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    const std::string_view path = column(statement.get(), 0);
    const auto found = std::lower_bound(
        folders.begin(), folders.end(), path,
        [](const FolderRecord& folder, std::string_view name) { return folder.path < name; });
    if (found == folders.end() || found->path != path || found->has_lists) continue;
    TRY(take_lists(statement.get(), *found));
  }
  if (code != SQLITE_DONE) return problem("reading lists");
  for (const FolderRecord& folder : folders) {
    if (!folder.has_lists) return Error(ErrorCode::kLimit, "another process writes the index");
  }
  return {};
}

Result<std::string> IndexStore::load_tags(const std::string& folder) const {
  TRY_ASSIGN(const Statement statement, prepare("SELECT tags FROM folder WHERE path=?"));
  bind_text(statement.get(), 1, folder);
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return problem("reading tags");
  return std::string(column(statement.get(), 0));
}

Result<void> IndexStore::visit(const std::function<bool(const FolderRecord&)>& visit) const {
  TRY_ASSIGN(const Statement statement,
             prepare("SELECT path, files, tags FROM folder ORDER BY path"));
  int code = 0;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    TRY_ASSIGN(FolderRecord folder,
               decode_files(std::string(column(statement.get(), 0)), column(statement.get(), 1)));
    folder.tags = column(statement.get(), 2);
    if (!visit(folder)) return {};
  }
  if (code != SQLITE_DONE) return problem("reading it");
  return {};
}

Result<void> IndexStore::begin() {
  TRY(run("BEGIN IMMEDIATE"));
  TRY_ASSIGN(const uint64_t stored, stored_generation());
  if (stored != generation_) is_shared_ = true;
  generation_ = std::max(stored, generation_) + 1;
  return put_value(kGenerationKey, std::to_string(generation_));
}

Result<void> IndexStore::commit() {
  return run("COMMIT");
}

Result<void> IndexStore::put(FolderRecord& folder) {
  folder.generation = generation_;
  TRY_ASSIGN(const Statement statement,
             prepare("INSERT OR REPLACE INTO folder(path, generation, files, graph, tags)"
                     " VALUES(?,?,?,?,?)"));
  const std::string files = encode_files(folder);
  const std::string graph = encode_graph(folder);
  bind_text(statement.get(), 1, folder.path);
  sqlite3_bind_int64(statement.get(), 2, static_cast<sqlite3_int64>(generation_));
  bind_bytes(statement.get(), 3, files);
  bind_bytes(statement.get(), 4, graph);
  bind_bytes(statement.get(), 5, folder.tags);
  if (sqlite3_step(statement.get()) != SQLITE_DONE) return problem("writing a folder");
  return {};
}

Result<void> IndexStore::remove(const std::string& folder) {
  TRY_ASSIGN(const Statement statement, prepare("DELETE FROM folder WHERE path=?"));
  bind_text(statement.get(), 1, folder);
  if (sqlite3_step(statement.get()) != SQLITE_DONE) return problem("removing a folder");
  return {};
}

Result<std::string> IndexStore::value(const std::string& key) const {
  TRY_ASSIGN(const Statement statement, prepare("SELECT value FROM value WHERE key=?"));
  bind_text(statement.get(), 1, key);
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return problem("reading a value");
  return std::string(column(statement.get(), 0));
}

Result<void> IndexStore::put_value(const std::string& key, std::string_view value) {
  TRY_ASSIGN(const Statement statement,
             prepare("INSERT OR REPLACE INTO value(key, value) VALUES(?,?)"));
  bind_text(statement.get(), 1, key);
  bind_bytes(statement.get(), 2, value);
  if (sqlite3_step(statement.get()) != SQLITE_DONE) return problem("writing a value");
  return {};
}

}  // namespace levin::tools
