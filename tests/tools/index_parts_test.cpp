// Parts of the index that no other folder sees.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <random>

#include "base/file_io.h"
#include "tools/index/folder_record.h"
#include "tools/index/graph_file.h"
#include "tools/index/rank.h"
#include "tools/index/tagger.h"

namespace levin::tools {
namespace {

TEST(TagQueries, AllAreAcceptedByTheirGrammars) {
  const Result<void> result = check_queries();
  EXPECT_TRUE(result) << result.error().message();
}

FolderRecord folder_of(const std::vector<Tags>& files) {
  FolderRecord folder;
  folder.path = "src";
  for (size_t file = 0; file < files.size(); ++file) {
    append_file(folder, "f" + std::to_string(file), {file, 1, 2, 3}, files[file]);
  }
  return folder;
}

TEST(FolderRecordCode, SurvivesTheRoundTripAndRefusesDamage) {
  Tagger tagger;
  const Language& python = *language_of("a.py");
  const FolderRecord folder = folder_of(
      {tagger.tag(python, "def one(): two_things()\n"), tagger.tag(python, "class Three: pass\n")});
  const std::string files = encode_files(folder);
  const std::string graph = encode_graph(folder);
  const auto decode_folder = [](const std::string& path, std::string_view file_bytes,
                                std::string_view list_bytes) -> Result<FolderRecord> {
    TRY_ASSIGN(FolderRecord record, decode_files(path, file_bytes));
    EXPECT_FALSE(record.has_lists);
    TRY(decode_lists(record, list_bytes));
    return record;
  };
  const Result<FolderRecord> read = decode_folder("src", files, graph);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(encode_files(*read), files);
  EXPECT_EQ(encode_graph(*read), graph);
  for (size_t size = 0; size < files.size(); ++size) {
    EXPECT_FALSE(decode_folder("src", files.substr(0, size), graph)) << size;
  }
  for (size_t size = 0; size < graph.size(); ++size) {
    EXPECT_FALSE(decode_folder("src", files, graph.substr(0, size))) << size;
  }
  for (size_t at = 0; at < files.size(); ++at) {  // Whatever the bytes: an answer, within bounds.
    for (const char byte : {'\0', '\x7f', '\xff'}) {
      std::string damaged = files;
      damaged[at] = byte;
      const Result<FolderRecord> result = decode_folder("src", damaged, graph);
      EXPECT_TRUE(!result || result->files.size() <= files.size());
    }
  }
  const Result<std::vector<Definition>> definitions = decode_definitions(folder.tags);
  ASSERT_TRUE(definitions);
  EXPECT_FALSE(decode_definitions(std::string_view(folder.tags).substr(1)));
}

// The definition of PageRank, by dense iteration.
std::vector<double> plain_ranks(const PatchedGraph& graph, const std::vector<float>& preference) {
  std::vector<double> ranks(graph.file_count(), 0);
  for (int round = 0; round < 400; ++round) {
    std::vector<double> next(graph.file_count(), 0);
    for (uint32_t file = 0; file < graph.file_count(); ++file) {
      next[file] += (1 - kDamping) * preference[file];
      graph.visit_references(file, [&](uint32_t name, float share) {
        const std::span<const uint32_t> definers = graph.definers(name);
        for (const uint32_t to : definers) {
          next[to] += kDamping * ranks[file] * share / static_cast<double>(definers.size());
        }
      });
    }
    ranks = next;
  }
  return ranks;
}

Tags tangled_file(int file, int shift) {
  static Tagger tagger;
  std::string text = "def name_" + std::to_string((file + shift) % 23) + "(): pass\n";
  for (int use = 1; use < 6; ++use) {
    text += "name_" + std::to_string((file * use * use + shift) % 31) + "()\n";
  }
  return tagger.tag(*language_of("a.py"), text);
}

FolderRecord tangled(int file_count, int shifted = -1) {
  std::vector<Tags> files;
  for (int file = 0; file < file_count; ++file) {
    files.push_back(tangled_file(file, file == shifted ? 40 : 0));
  }
  return folder_of(files);
}

// At most a thousandth of the average is lacking per file, and 1 / (1 - kDamping) times that in
// all.
void expect_near(const std::vector<float>& ranks, const std::vector<double>& expected,
                 size_t files) {
  const double tolerance = 1e-3 / (1 - kDamping) / static_cast<double>(files) * 4;
  for (size_t file = 0; file < expected.size(); ++file) {
    EXPECT_NEAR(ranks[file], expected[file], tolerance) << file;
  }
}

TEST(Ranks, AgreeWithTheDefinition) {
  const GraphLists lists = build_graph({tangled(60)});
  const ReferenceGraph view = lists.view();
  PatchedGraph graph(view);
  Ranks ranks(graph);
  ranks.settle_everywhere();
  expect_near(ranks.ranks(), plain_ranks(graph, std::vector<float>(60, 1.0f / 60)), 60);
  ranks.focus({5}, 0.9f);
  std::vector<float> focused(60, 0.1f / 60);
  focused[5] += 0.9f;
  expect_near(ranks.ranks(), plain_ranks(graph, focused), 60);
}

TEST(Ranks, AStartNearTheEndGivesTheSame) {
  const GraphLists before = build_graph({tangled(60)});
  const GraphLists after = build_graph({tangled(61)});
  const auto ranks_of = [](const GraphLists& lists, const std::vector<float>& start) {
    const ReferenceGraph view = lists.view();
    PatchedGraph graph(view);
    Ranks ranks(graph);
    ranks.start_from(start);
    ranks.settle_everywhere();
    return ranks.ranks();
  };
  const std::vector<float> cold = ranks_of(after, {});
  const std::vector<float> warm = ranks_of(after, ranks_of(before, {}));
  const std::vector<float> odd = ranks_of(after, std::vector<float>(61, -std::nanf("")));
  for (size_t file = 0; file < cold.size(); ++file) {
    EXPECT_NEAR(warm[file], cold[file], 5e-4) << file;
    EXPECT_EQ(odd[file], cold[file]) << file;
  }
}

FileLists lists_of(const Tags& tags) {
  FileLists lists{tags.defined_hashes, {}, {}};
  for (const Reference& reference : tags.references) {
    lists.reference_names.push_back(reference.name_hash);
    lists.reference_weights.push_back(reference.weight);
  }
  return lists;
}

// Changed, removed and new files, several times over: always as if the graph were made anew.
TEST(Ranks, APatchedGraphRanksAsANewOne) {
  constexpr int kFiles = 80;
  const GraphLists lists = build_graph({tangled(kFiles)});
  const ReferenceGraph view = lists.view();
  std::mt19937 engine(5);
  const auto random = [&] { return static_cast<uint32_t>(engine()); };
  for (int round = 0; round < 40; ++round) {
    PatchedGraph graph(view);
    Ranks ranks(graph);
    ranks.settle_everywhere();
    std::map<uint32_t, Tags> now;
    for (int file = 0; file < kFiles; ++file)
      now[static_cast<uint32_t>(file)] = tangled_file(file, 0);
    std::vector<FileChange> changes;
    const uint32_t count = 1 + random() % 6;
    for (uint32_t index = 0; index < count; ++index) {
      const uint32_t file = index == 0 && round % 3 == 0 ? kFiles : (index * 13 + random() % 13);
      const bool is_gone = file < kFiles && random() % 3 == 0;
      // A shift of a thousand gives names that nobody has, 25 some that were used but not defined.
      static const int kShifts[] = {1, 7, 25, 1000};
      now[file] = is_gone ? Tags() : tangled_file(static_cast<int>(file), kShifts[random() % 4]);
      changes.push_back({file, is_gone, lists_of(now[file])});
    }
    ASSERT_TRUE(ranks.apply(changes));
    std::vector<Tags> files;
    for (auto& [file, tags] : now) files.push_back(tags);
    const GraphLists anew = build_graph({folder_of(files)});
    const ReferenceGraph anew_view = anew.view();
    PatchedGraph expected_graph(anew_view);
    std::vector<float> preference(files.size(), 1.0f / kFiles);
    for (const FileChange& change : changes) {
      if (change.is_gone) preference[change.file] = 0;
    }
    expect_near(ranks.ranks(), plain_ranks(expected_graph, preference), kFiles);
    for (uint32_t name = 0; name < anew_view.defined_count(); ++name) {
      const auto place = [&](const PatchedGraph& of) {
        for (uint32_t at = 0; at < of.name_count(); ++at) {
          if (of.name_hash(at) == expected_graph.name_hash(name)) return at;
        }
        return UINT32_MAX;
      };
      ASSERT_NE(place(graph), UINT32_MAX);
      EXPECT_EQ(graph.definers(place(graph)).size(), expected_graph.definers(name).size());
    }
  }
}

TEST(GraphFile, HoldsWhatWasWrittenAndRefusesDamage) {
  const std::string path = ::testing::TempDir() + "levin-graph-" + std::to_string(::getpid());
  GraphLists lists = build_graph({tangled(30)});
  lists.ranks.assign(30, 0.25f);
  lists.attention.assign(lists.view().defined_count(), 0.5f);
  ASSERT_TRUE(write_graph(path, lists.view(), 7, 3));
  std::string bytes = *read_file(path);
  {
    const std::optional<MappedGraph> read = open_graph(path, 7, 3);
    ASSERT_TRUE(read);
    EXPECT_TRUE(
        std::equal(lists.definer.begin(), lists.definer.end(), read->graph.definer.begin()));
    EXPECT_EQ(read->graph.attention.back(), 0.5f);
    EXPECT_FALSE(open_graph(path, 8, 3));  // Another database.
    EXPECT_FALSE(open_graph(path, 7, 2));  // Later than what was loaded.
  }
  const auto write = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  };
  for (size_t size = 0; size < bytes.size(); size += 97) {
    write(bytes.substr(0, size));
    EXPECT_FALSE(open_graph(path, 7, 3)) << size;
  }
  for (size_t at = 0; at < bytes.size(); at += 7) {  // Whatever the bytes: ranks, within bounds.
    std::string damaged = bytes;
    damaged.replace(at, 4, std::string(4, at % 2 == 0 ? '\xff' : '\x01'));
    write(damaged);
    const std::optional<MappedGraph> read = open_graph(path, 7, 3);
    if (!read) continue;
    PatchedGraph graph(read->graph);
    Ranks ranks(graph);
    ranks.restore(read->graph.ranks, read->graph.attention);
    EXPECT_TRUE(ranks.apply({{3, false, lists_of(tangled_file(9, 25))}, {4, true, {}}}));
    ranks.settle_everywhere();
  }
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace levin::tools
