#include "agent/checkpoint_trees.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

#include "agent/tree_reader.h"

namespace levin::agent {
namespace {

Error git_error_of(const std::string& doing) {
  return Error(ErrorCode::kIo, "cannot " + doing + ": " + git_reason());
}

struct TreeLine {
  std::string name;
  const char* mode;
  ObjectId id;
  bool is_tree = false;

  // Git sorts a tree as if its name ended in a slash.
  std::string key() const { return is_tree ? name + "/" : name; }
};

const char* git_mode(const TreeEntry& entry) {
  switch (entry.kind) {
    case TreeEntry::Kind::kLink:
      return "120000";
    case TreeEntry::Kind::kRepository:
      return "160000";
    default:
      return (entry.mode & 0100U) != 0 ? "100755" : "100644";
  }
}

// Builds trees from the leaves up while the sorted manifest goes by.
class TreeWriter {
 public:
  TreeWriter(git_odb* odb, std::unordered_map<std::string, ObjectId>* known)
      : odb_(odb), known_(known) {}

  Result<ObjectId> write(const Manifest& manifest) {
    open_.push_back({"", {}});
    for (const auto& [path, entry] : manifest) {
      if (entry.kind == TreeEntry::Kind::kFolder) continue;
      const size_t slash = path.rfind('/');
      const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
      TRY(go_to(folder));
      open_.back().lines.push_back({path.substr(folder.size()), git_mode(entry), entry.id});
    }
    TRY(go_to(""));
    TRY_ASSIGN(const ObjectId root, close());
    *known_ = std::move(written_);
    return root;
  }

 private:
  struct Open {
    std::string prefix;  // "" or "a/b/".
    std::vector<TreeLine> lines;
  };

  Result<void> go_to(const std::string& folder) {
    while (!folder.starts_with(open_.back().prefix)) {
      const std::string prefix = open_.back().prefix;
      TRY_ASSIGN(const ObjectId id, close());
      const std::string& parent = open_.back().prefix;
      open_.back().lines.push_back(
          {prefix.substr(parent.size(), prefix.size() - parent.size() - 1), "40000", id, true});
    }
    while (open_.back().prefix.size() < folder.size()) {
      const size_t slash = folder.find('/', open_.back().prefix.size());
      open_.push_back({folder.substr(0, slash + 1), {}});
    }
    return {};
  }

  Result<ObjectId> close() {
    Open folder = std::move(open_.back());
    open_.pop_back();
    std::sort(folder.lines.begin(), folder.lines.end(),
              [](const TreeLine& a, const TreeLine& b) { return a.key() < b.key(); });
    std::string bytes;
    for (const TreeLine& line : folder.lines) {
      bytes += line.mode;
      bytes += ' ' + line.name + '\0';
      bytes.append(reinterpret_cast<const char*>(line.id.bytes.data()), line.id.bytes.size());
    }
    git_oid hash;
    if (git_odb_hash(&hash, bytes.data(), bytes.size(), GIT_OBJECT_TREE) != 0) {
      return git_error_of("name a tree");
    }
    const auto known = known_->find(folder.prefix);
    if (known == known_->end() || !(known->second == object_id(hash))) {
      TRY(write_object(odb_, bytes, GIT_OBJECT_TREE));
    }
    written_[folder.prefix] = object_id(hash);
    return object_id(hash);
  }

  git_odb* odb_;
  std::unordered_map<std::string, ObjectId>* known_;
  std::unordered_map<std::string, ObjectId> written_;
  std::vector<Open> open_;
};

Result<GitCommit> find_commit(git_repository* repository, const ObjectId& id) {
  git_commit* raw = nullptr;
  const git_oid oid = git_id(id);
  if (git_commit_lookup(&raw, repository, &oid) != 0) {
    return Error(ErrorCode::kNotFound,
                 "checkpoint " + id.hex() + " is not in the repository any more: " + git_reason());
  }
  return GitCommit(raw);
}

Result<GitTree> tree_of(git_repository* repository, const ObjectId& id) {
  TRY_ASSIGN(const GitCommit commit, find_commit(repository, id));
  git_tree* raw = nullptr;
  if (git_commit_tree(&raw, commit.get()) != 0) {
    return Error(ErrorCode::kNotFound, "the tree of checkpoint " + id.hex() + ": " + git_reason());
  }
  return GitTree(raw);
}

bool is_allowed_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name != kRestoreName &&
         ::strcasecmp(name.c_str(), ".git") != 0 && name.find('/') == std::string::npos;
}

Result<void> read_tree_into(git_repository* repository, const git_tree* tree,
                            const std::string& prefix, int depth, Manifest* manifest) {
  if (depth > kTreeDepthMax) return Error(ErrorCode::kCorrupt, prefix + ": nested too deeply");
  for (size_t index = 0; index < git_tree_entrycount(tree); ++index) {
    const git_tree_entry* line = git_tree_entry_byindex(tree, index);
    const std::string name = git_tree_entry_name(line);
    if (!is_allowed_name(name)) {
      return Error(ErrorCode::kCorrupt, "a checkpoint holds the name \"" + prefix + name + "\"");
    }
    const git_oid* id = git_tree_entry_id(line);
    TreeEntry entry{TreeEntry::Kind::kFile, 0644, object_id(*id)};
    switch (git_tree_entry_filemode_raw(line)) {
      case GIT_FILEMODE_TREE: {
        git_tree* raw = nullptr;
        if (git_tree_lookup(&raw, repository, id) != 0) {
          return Error(ErrorCode::kNotFound, "the tree of " + prefix + name + ": " + git_reason());
        }
        const GitTree below(raw);
        TRY(read_tree_into(repository, below.get(), prefix + name + "/", depth + 1, manifest));
        continue;
      }
      case GIT_FILEMODE_LINK:
        entry = {TreeEntry::Kind::kLink, 0, entry.id};
        break;
      case GIT_FILEMODE_COMMIT:
        entry = {TreeEntry::Kind::kRepository, 0, entry.id};
        break;
      case GIT_FILEMODE_BLOB_EXECUTABLE:
        entry.mode = 0755;
        break;
      default:
        break;
    }
    manifest->emplace(prefix + name, entry);
  }
  return {};
}

}  // namespace

ObjectId object_id(const git_oid& id) {
  ObjectId out;
  std::memcpy(out.bytes.data(), id.id, out.bytes.size());
  return out;
}

git_oid git_id(const ObjectId& id) {
  git_oid out;
  std::memcpy(out.id, id.bytes.data(), id.bytes.size());
  return out;
}

Result<ObjectId> write_object(git_odb* odb, const std::string& bytes, git_object_t type) {
  git_oid id;
  if (git_odb_write(&id, odb, bytes.data(), bytes.size(), type) != 0) {
    return git_error_of("write to git's object store");
  }
  return object_id(id);
}

Result<ObjectId> write_trees(git_odb* odb, const Manifest& manifest,
                             std::unordered_map<std::string, ObjectId>* known) {
  return TreeWriter(odb, known).write(manifest);
}

Result<ObjectId> write_checkpoint(git_repository* repository, const ObjectId& tree,
                                  const std::string& message, const ObjectId* last) {
  GitCommit parent;
  if (last != nullptr) {
    TRY_ASSIGN(parent, find_commit(repository, *last));
    if (object_id(*git_commit_tree_id(parent.get())) == tree &&
        message == git_commit_message_raw(parent.get())) {
      return *last;
    }
  }
  git_tree* raw_tree = nullptr;
  const git_oid tree_id = git_id(tree);
  if (git_tree_lookup(&raw_tree, repository, &tree_id) != 0) return git_error_of("read a tree");
  const GitTree root(raw_tree);
  git_signature* raw_signature = nullptr;
  if (git_signature_now(&raw_signature, "levin", "levin@localhost") != 0) {
    return git_error_of("sign a checkpoint");
  }
  const GitSignature signature(raw_signature);
  const git_commit* parents[] = {parent.get()};
  git_oid id;
  if (git_commit_create(&id, repository, nullptr, signature.get(), signature.get(), "UTF-8",
                        message.c_str(), root.get(), parent ? 1 : 0, parents) != 0) {
    return git_error_of("write a checkpoint");
  }
  return object_id(id);
}

Result<Manifest> read_checkpoint(git_repository* repository, const ObjectId& id) {
  TRY_ASSIGN(const GitCommit commit, find_commit(repository, id));
  TRY_ASSIGN(const GitTree tree, tree_of(repository, id));
  Manifest manifest;
  TRY(read_tree_into(repository, tree.get(), "", 0, &manifest));
  TRY(decode_modes(git_commit_message_raw(commit.get()), &manifest));
  return manifest;
}

Result<std::string> diff_checkpoints(git_repository* repository, const ObjectId& from,
                                     const ObjectId& to) {
  TRY_ASSIGN(const GitTree old_tree, tree_of(repository, from));
  TRY_ASSIGN(const GitTree new_tree, tree_of(repository, to));
  git_diff* raw = nullptr;
  if (git_diff_tree_to_tree(&raw, repository, old_tree.get(), new_tree.get(), nullptr) != 0) {
    return git_error_of("compare two checkpoints");
  }
  const GitDiff diff(raw);
  if (git_diff_find_similar(diff.get(), nullptr) != 0) return git_error_of("find renames");
  git_buf buffer = GIT_BUF_INIT_CONST(nullptr, 0);
  if (git_diff_to_buf(&buffer, diff.get(), GIT_DIFF_FORMAT_PATCH) != 0) {
    return git_error_of("print a diff");
  }
  std::string text(buffer.ptr == nullptr ? "" : buffer.ptr, buffer.size);
  git_buf_dispose(&buffer);
  return text;
}

}  // namespace levin::agent
