// Parts of the index that no other folder sees.
#include <gtest/gtest.h>

#include <numeric>

#include "tools/index/folder_record.h"
#include "tools/index/rank.h"
#include "tools/index/rank_cache.h"
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
std::vector<double> plain_ranks(const ReferenceGraph& graph, const std::vector<float>& preference) {
  std::vector<double> ranks(graph.file_count(), 0);
  for (int round = 0; round < 400; ++round) {
    std::vector<double> next(graph.file_count(), 0);
    for (size_t file = 0; file < graph.file_count(); ++file) {
      next[file] += (1 - kDamping) * preference[file];
      for (uint32_t at = graph.reference_begin[file]; at < graph.reference_begin[file + 1]; ++at) {
        const uint32_t name = graph.reference_name[at];
        const uint32_t count = graph.definer_begin[name + 1] - graph.definer_begin[name];
        for (uint32_t to = graph.definer_begin[name]; to < graph.definer_begin[name + 1]; ++to) {
          next[graph.definer[to]] +=
              kDamping * ranks[file] * graph.reference_share[at] / static_cast<double>(count);
        }
      }
    }
    ranks = next;
  }
  return ranks;
}

FolderRecord tangled(int file_count) {
  Tagger tagger;
  std::vector<Tags> files;
  for (int file = 0; file < file_count; ++file) {
    std::string text = "def name_" + std::to_string(file % 23) + "(): pass\n";
    for (int use = 1; use < 6; ++use)
      text += "name_" + std::to_string(file * use * use % 31) + "()\n";
    files.push_back(tagger.tag(*language_of("a.py"), text));
  }
  return folder_of(files);
}

TEST(Ranks, AgreeWithTheDefinition) {
  const std::vector<FolderRecord> folders{tangled(60)};
  const ReferenceGraph graph = build_graph(folders);
  for (const bool focused : {false, true}) {
    std::vector<float> preference(graph.file_count(),
                                  1.0f / static_cast<float>(graph.file_count()));
    if (focused) {
      preference.assign(graph.file_count(), 0);
      preference[5] = 1;
    }
    std::vector<float> ranks(graph.file_count(), 0);
    compute_ranks(graph, preference, ranks);
    const std::vector<double> expected = plain_ranks(graph, preference);
    // At most a thousandth of the average is lacking per file, and 1 / (1 - kDamping) times that in
    // all.
    const double tolerance = 1e-3 / (1 - kDamping);
    for (size_t file = 0; file < ranks.size(); ++file) {
      EXPECT_NEAR(ranks[file], expected[file], tolerance / static_cast<double>(ranks.size()) * 4)
          << file;
    }
  }
}

TEST(Ranks, AStartNearTheEndGivesTheSame) {
  const std::vector<FolderRecord> before{tangled(60)};
  const std::vector<FolderRecord> after{tangled(61)};
  const auto ranks_of = [](const std::vector<FolderRecord>& folders, std::vector<float> ranks) {
    const ReferenceGraph graph = build_graph(folders);
    compute_ranks(graph, std::vector<float>(ranks.size(), 1.0f / static_cast<float>(ranks.size())),
                  ranks);
    return ranks;
  };
  const std::vector<float> old = ranks_of(before, std::vector<float>(60, 0));
  const std::vector<float> cold = ranks_of(after, std::vector<float>(61, 0));
  const std::vector<float> warm = ranks_of(after, decode_ranks(after, encode_ranks(before, old)));
  for (size_t file = 0; file < cold.size(); ++file)
    EXPECT_NEAR(warm[file], cold[file], 5e-4) << file;
  EXPECT_EQ(decode_ranks(after, "nonsense bytes").size(), 61u);
}

}  // namespace
}  // namespace levin::tools
