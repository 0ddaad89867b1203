// The GGUF reader on right files, wrong ones, and thousands of mutations.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "engine/gguf.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/gguf_writer.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

GgufContent small_content() {
  GgufContent content;
  content.set("general.architecture", gguf_text("minimax-01"));
  content.set("a.count", gguf_u32(7));
  content.set("a.big", gguf_u64(~uint64_t{0}));
  content.set("a.ratio", gguf_f32(0.25f));
  content.set("a.flag", gguf_bool(true));
  content.set("a.words", gguf_texts({"one", "", "three"}));
  content.set("a.kinds", gguf_i32s({1, -2, 3}));
  content.tensor("x") = {{2, 32}, ggml_type("F32"), std::string(256, 'x')};
  content.tensor("y") = {{3, 2, 32}, ggml_type("Q8_0"), std::string(6 * 34, 'y')};
  content.tensor("z") = {{256}, ggml_type("Q6_K"), std::string(210, 'z')};
  return content;
}

class GgufTest : public testing::Test {
 protected:
  std::string path() const { return folder_.file("model.gguf"); }

  Result<Gguf> open(const std::string& bytes) {
    write_plain(path(), bytes);
    return Gguf::open(path());
  }

  void expect_failure(const std::string& bytes, ErrorCode code,
                      const std::vector<std::string>& words) {
    const Result<Gguf> file = open(bytes);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code(), code) << file.error().message();
    EXPECT_NE(file.error().message().find(path()), std::string::npos) << file.error().message();
    for (const std::string& word : words) {
      EXPECT_NE(file.error().message().find(word), std::string::npos)
          << file.error().message() << "\nshould say: " << word;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(GgufTest, ReadsValuesAndTensors) {
  for (const uint32_t version : {2u, 3u}) {
    GgufContent content = small_content();
    content.version = version;
    const Result<Gguf> file = open(content.bytes());
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_EQ(file->find("general.architecture")->text(), "minimax-01");
    EXPECT_EQ(file->find("a.count")->whole(), 7);
    EXPECT_EQ(file->find("a.big")->whole(), std::nullopt);
    EXPECT_EQ(file->find("a.ratio")->real(), 0.25);
    EXPECT_EQ(file->find("a.ratio")->whole(), std::nullopt);
    EXPECT_EQ(file->find("a.flag")->flag(), true);
    EXPECT_EQ(file->find("a.words")->texts(), (std::vector<std::string_view>{"one", "", "three"}));
    EXPECT_EQ(file->find("a.kinds")->wholes(), (std::vector<int64_t>{1, -2, 3}));
    EXPECT_EQ(file->find("a.kinds")->texts(), std::nullopt);
    EXPECT_EQ(file->find("absent"), nullptr);
    ASSERT_EQ(file->tensors().size(), 3u);
    const TensorInfo& y = file->tensors().at("y");
    EXPECT_EQ(y.dtype, "Q8_0");
    EXPECT_EQ(y.shape, (std::vector<int64_t>{3, 2, 32}));
    EXPECT_EQ(y.data.size(), 6 * 34u);
    EXPECT_EQ(y.data.front(), std::byte{'y'});
    EXPECT_EQ(y.data.back(), std::byte{'y'});
  }
}

TEST_F(GgufTest, AnotherAlignmentIsKept) {
  GgufContent content = small_content();
  content.alignment = 256;
  content.set("general.alignment", gguf_u32(256));
  const Result<Gguf> file = open(content.bytes());
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->tensors().at("z").data.back(), std::byte{'z'});
  for (const uint32_t wrong : {0u, 3u, 1u << 20}) {
    content.set("general.alignment", gguf_u32(wrong));
    expect_failure(content.bytes(), ErrorCode::kCorrupt,
                   {"general.alignment is " + std::to_string(wrong), "a power of two"});
  }
}

TEST_F(GgufTest, NotAGgufFile) {
  expect_failure("", ErrorCode::kCorrupt, {"the magic", "needs 4 bytes", "0 left"});
  expect_failure("PK\3\4 and so on", ErrorCode::kCorrupt, {"does not begin with 'GGUF'"});
  const Result<Gguf> absent = Gguf::open(folder_.file("absent.gguf"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(Gguf::open(folder_.path()));
}

TEST_F(GgufTest, OtherVersionsAreNamed) {
  GgufContent content = small_content();
  for (const uint32_t version : {0u, 1u, 4u, 0x03000000u}) {
    content.version = version;
    expect_failure(content.bytes(), ErrorCode::kUnsupported,
                   {"version " + std::to_string(version), "2 and 3"});
  }
}

TEST_F(GgufTest, EveryTruncationIsRefused) {
  const std::string bytes = small_content().bytes();
  const size_t data_end = bytes.size() - (224 - 210);  // The last padding may be missing.
  for (size_t size = 0; size < data_end; ++size) {
    const Result<Gguf> file = open(bytes.substr(0, size));
    ASSERT_FALSE(file) << size;
    EXPECT_EQ(file.error().code(), ErrorCode::kCorrupt) << file.error().message();
  }
  EXPECT_TRUE(open(bytes.substr(0, data_end)));
}

TEST_F(GgufTest, AbsurdCounts) {
  const std::string bytes = small_content().bytes();
  const auto with = [&](size_t at, uint64_t value) {
    std::string changed = bytes;
    std::memcpy(changed.data() + at, &value, sizeof value);
    return changed;
  };
  expect_failure(with(8, ~uint64_t{0}), ErrorCode::kCorrupt,
                 {"claims 18446744073709551615 tensors"});
  expect_failure(with(16, uint64_t{1} << 40), ErrorCode::kCorrupt, {"1099511627776 keys"});
  expect_failure(with(24, ~uint64_t{0}), ErrorCode::kCorrupt,
                 {"a key at byte 24", "18446744073709551615 bytes"});
  expect_failure(with(24, 0), ErrorCode::kCorrupt, {"a key at byte 24 has 0 bytes"});
  GgufContent content = small_content();
  std::string words = gguf_texts({"one"});
  const uint64_t huge = uint64_t{1} << 61;
  std::memcpy(words.data() + 8, &huge, sizeof huge);
  content.set("a.words", words);
  expect_failure(content.bytes(), ErrorCode::kCorrupt,
                 {"'a.words' claims 2305843009213693952 elements"});
  words = gguf_texts({"one"});
  std::memcpy(words.data() + 16, &huge, sizeof huge);
  content.set("a.words", words);
  expect_failure(content.bytes(), ErrorCode::kCorrupt,
                 {"a string of key 'a.words'", "2305843009213693952 bytes"});
}

TEST_F(GgufTest, WrongKinds) {
  GgufContent content = small_content();
  content.set("a.count", std::string("\x0D\0\0\0\7\0\0\0", 8));
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"'a.count' has kind 13"});
  content.set("a.count", std::string("\x09\0\0\0\x09\0\0\0\1\0\0\0\0\0\0\0", 16));
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"'a.count' is an array of kind 9"});
}

TEST_F(GgufTest, DuplicatesAreNamed) {
  GgufContent content = small_content();
  content.values.push_back(content.values[1]);
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"key 'a.count' is there twice"});
  content = small_content();
  content.tensors.push_back(content.tensors[0]);
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"tensor 'x' is there twice"});
}

TEST_F(GgufTest, UnknownTensorTypesAreNamed) {
  GgufContent content = small_content();
  content.tensor("y").type = 13;
  expect_failure(content.bytes(), ErrorCode::kUnsupported,
                 {"tensor 'y' has type Q5_K", "Q8_0, Q4_0, Q4_K and Q6_K"});
  content.tensor("y").type = 4242;
  expect_failure(content.bytes(), ErrorCode::kUnsupported, {"tensor 'y' has type 4242"});
}

TEST_F(GgufTest, ShapesThatCannotBe) {
  GgufContent content = small_content();
  content.tensor("y").shape = {6, 33};
  expect_failure(content.bytes(), ErrorCode::kCorrupt,
                 {"tensor 'y'", "33 weights", "Q8_0 comes in blocks of 32"});
  content.tensor("y").shape = {0, 32};
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"tensor 'y'", "the size 0"});
  content.tensor("y").shape = {int64_t{1} << 40, int64_t{1} << 40, 32};
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"tensor 'y'", "no overflow"});
  content.tensor("y").shape = {1, 1, 1, 1, 32};
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"tensor 'y'", "5 dimensions"});
  content.tensor("y").shape = {};
  expect_failure(content.bytes(), ErrorCode::kCorrupt, {"tensor 'y'", "0 dimensions"});
  content.tensor("y").shape = {1 << 20, 32};
  expect_failure(content.bytes(), ErrorCode::kCorrupt,
                 {"tensor 'y', Q8_0 [1048576, 32], needs 35651584 bytes"});
}

TEST_F(GgufTest, OffsetsThatOverlapOrStray) {
  const GgufContent content = small_content();
  const std::string bytes = content.bytes();
  const size_t names = bytes.find("y", bytes.find("a.kinds")) + 1;
  const size_t at = names + 4 + 3 * 8 + 4;  // Dimensions, three sizes, type.
  const auto with = [&](uint64_t offset) {
    std::string changed = bytes;
    std::memcpy(changed.data() + at, &offset, sizeof offset);
    return changed;
  };
  expect_failure(with(224), ErrorCode::kCorrupt,
                 {"tensor 'y' begins at data byte 224, expected 256", "tensor 'x'"});
  expect_failure(with(0), ErrorCode::kCorrupt, {"expected 20", "tensor 'y' reaches there"});
  expect_failure(with(257), ErrorCode::kCorrupt, {"tensor 'y'", "257", "a multiple of 32"});
  expect_failure(with(uint64_t{1} << 63), ErrorCode::kCorrupt, {"tensor 'y'", "truncated?"});
}

TEST_F(GgufTest, SplitFiles) {
  const GgufContent content = small_content();
  const std::string stem = folder_.file("big");
  write_split(content, stem, 3);
  const Result<Gguf> file = Gguf::open(stem + "-00001-of-00003.gguf");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors().at("y").data.back(), std::byte{'y'});
  EXPECT_EQ(file->find("a.count")->whole(), 7);

  const Result<Gguf> later = Gguf::open(stem + "-00002-of-00003.gguf");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(later.error().message().find("big-00001-of-00003.gguf"), std::string::npos);

  std::filesystem::copy_file(stem + "-00001-of-00003.gguf", folder_.file("renamed.gguf"));
  const Result<Gguf> renamed = Gguf::open(folder_.file("renamed.gguf"));
  ASSERT_FALSE(renamed);
  EXPECT_NE(renamed.error().message().find("-00001-of-00003.gguf"), std::string::npos);

  std::filesystem::copy_file(stem + "-00001-of-00003.gguf", stem + "-00003-of-00003.gguf",
                             std::filesystem::copy_options::overwrite_existing);
  const Result<Gguf> swapped = Gguf::open(stem + "-00001-of-00003.gguf");
  ASSERT_FALSE(swapped);
  EXPECT_NE(swapped.error().message().find("split.no 0 of 3, expected 2 of 3"), std::string::npos)
      << swapped.error().message();

  std::filesystem::remove(stem + "-00002-of-00003.gguf");
  const Result<Gguf> missing = Gguf::open(stem + "-00001-of-00003.gguf");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("its part 2"), std::string::npos);
  EXPECT_NE(missing.error().message().find("big-00002-of-00003.gguf"), std::string::npos);
}

TEST_F(GgufTest, ASplitThatLacksTensors) {
  GgufContent content = small_content();
  const std::string stem = folder_.file("big");
  write_split(content, stem, 2);
  content.tensors.pop_back();
  write_split(content, folder_.file("less"), 2);
  std::filesystem::rename(folder_.file("less-00002-of-00002.gguf"), stem + "-00002-of-00002.gguf");
  EXPECT_TRUE(Gguf::open(stem + "-00001-of-00002.gguf"));  // Part 2 is the same in both.
  std::filesystem::rename(folder_.file("less-00001-of-00002.gguf"), stem + "-00001-of-00002.gguf");
  content.set("split.tensors.count", gguf_u32(3));
  content.set("split.no", gguf_u32(0));
  content.set("split.count", gguf_u32(2));
  std::erase_if(content.tensors, [](const auto& one) { return one.first == "y"; });
  write_plain(stem + "-00001-of-00002.gguf", content.bytes());
  const Result<Gguf> file = Gguf::open(stem + "-00001-of-00002.gguf");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("hold 2 tensors, split.tensors.count says 3"),
            std::string::npos)
      << file.error().message();
}

// Seeded damage: bytes changed, cut out, doubled, numbers made huge. Whatever comes, the reader
// answers; what it accepts can be read to the last byte.
TEST_F(GgufTest, MutatedFiles) {
  const std::string whole = small_content().bytes();
  const size_t head = whole.size() - 256 - 224 - 224;
  std::mt19937_64 random(31);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (uint64_t left = 1 + random() % 3; left > 0; --left) {
      const size_t at = random() % head;
      switch (random() % 5) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
          break;
        case 2:
          bytes.erase(at, 1 + random() % 16);
          break;
        case 3:
          bytes.insert(at, bytes.substr(at, 1 + random() % 16));
          break;
        default:
          const uint64_t huge = random() >> (random() % 64);
          std::memcpy(bytes.data() + at, &huge, sizeof huge);
      }
    }
    const Result<Gguf> file = open(bytes);
    if (!file) {
      ASSERT_FALSE(file.error().message().empty());
      continue;
    }
    ++accepted;
    uint64_t sum = 0;
    for (const auto& [name, info] : file->tensors()) {
      for (const std::byte byte : info.data) sum += std::to_integer<uint64_t>(byte);
    }
    for (const auto& [key, value] : file->values()) {
      sum += value.brief().size();
      const std::optional<std::vector<std::string_view>> texts = value.texts();
      for (const std::string_view text : texts.value_or(std::vector<std::string_view>{})) {
        for (const char c : text) sum += static_cast<unsigned char>(c);
      }
      if (value.wholes()) sum += value.wholes()->size();
    }
    ASSERT_GT(sum, 0u);
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_LT(accepted, 19000);
}

}  // namespace
}  // namespace levin::engine
