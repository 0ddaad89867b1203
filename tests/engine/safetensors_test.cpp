// The safetensors reader: what the writer wrote, and every way in which a file can be wrong. A
// wrong file is kCorrupt with a message; it never crashes and never gives a view outside the file.
#include "engine/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <set>

#include "base/file_io.h"
#include "tests/base/temporary_folder.h"
#include "tests/engine/raw_safetensors.h"

namespace levin::engine {
namespace {

class SafeTensorsTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "a.safetensors") const { return folder_.file(name); }

  // The message of the error that a file of `bytes` must give.
  std::string failure(const std::string& bytes) {
    write_plain(path(), bytes);
    const Result<SafeTensors> files = SafeTensors::open_file(path());
    EXPECT_FALSE(files) << bytes.substr(8, 200);
    if (files) return "";
    EXPECT_EQ(files.error().code(), ErrorCode::kCorrupt) << files.error().message();
    EXPECT_NE(files.error().message().find(path()), std::string::npos) << "the file is not named";
    EXPECT_LT(files.error().message().size(), 600u);
    return files.error().message();
  }

  void expect_failure(const std::string& header, const std::string& data, const std::string& word) {
    const std::string message = failure(raw_file(header, data));
    EXPECT_NE(message.find(word), std::string::npos) << header << "\n"
                                                     << message << "\nshould say: " << word;
  }

  // A folder with an index of `weight_map` must be refused as corrupt.
  std::string index_failure(const std::string& index) {
    write_plain(path("model.safetensors.index.json"), index);
    const Result<SafeTensors> files = SafeTensors::open_folder(folder_.path());
    EXPECT_FALSE(files) << index.substr(0, 200);
    if (files) return "";
    EXPECT_EQ(files.error().code(), ErrorCode::kCorrupt) << files.error().message();
    EXPECT_NE(files.error().message().find("index.json"), std::string::npos);
    return files.error().message();
  }

  TemporaryFolder folder_;
};

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST_F(SafeTensorsTest, RoundTrip) {
  SafeTensorsWriter writer;
  const std::vector<float> floats = {1, -2.5f, 3e-40f, 4, 5, 6};
  const std::vector<int32_t> ints = {-7, 8};
  writer.add("b.floats", floats, {2, 3});
  writer.add("a \"quoted\"", ints, {2});
  writer.add("empty", std::vector<float>(), {0, 5});
  writer.add("scalar", std::vector<float>{9}, {});
  ASSERT_TRUE(writer.write(path()));
  const Result<SafeTensors> files = SafeTensors::open_file(path());
  ASSERT_TRUE(files) << files.error().message();
  EXPECT_EQ(files->num_files(), 1u);
  ASSERT_EQ(files->tensors().size(), 4u);
  const TensorInfo* info = files->find("b.floats");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->dtype, "F32");
  EXPECT_EQ(shape_text(info->shape), "[2, 3]");
  EXPECT_EQ(info->num_elements(), 6);
  EXPECT_EQ(std::memcmp(info->data.data(), floats.data(), 24), 0);
  info = files->find("a \"quoted\"");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->dtype, "I32");
  EXPECT_EQ(std::memcmp(info->data.data(), ints.data(), 8), 0);
  EXPECT_EQ(files->find("empty")->data.size(), 0u);
  EXPECT_EQ(files->find("empty")->num_elements(), 0);
  EXPECT_EQ(files->find("scalar")->num_elements(), 1);
  EXPECT_EQ(files->find("absent"), nullptr);
}

TEST_F(SafeTensorsTest, MetadataAndEmptyFilesAreFine) {
  write_plain(path(), raw_file(R"({"__metadata__":{"format":"pt","odd":3}})", ""));
  const Result<SafeTensors> files = SafeTensors::open_file(path());
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->tensors().empty());
  EXPECT_EQ(files->metadata().at("format"), "pt");
  EXPECT_EQ(files->metadata().count("odd"), 0u);
  expect_failure(R"({"__metadata__":[]})", "", "__metadata__");
}

TEST_F(SafeTensorsTest, HeaderLengths) {
  for (size_t size = 0; size < 8; ++size) failure(std::string(size, '\x02'));
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{1000}, uint64_t{100'000'001}, uint64_t{1} << 32, uint64_t{1} << 63,
        (uint64_t{1} << 63) - 1, UINT64_MAX, UINT64_MAX - 7}) {
    EXPECT_NE(failure(with_length(length, "{}")).find(std::to_string(length)), std::string::npos);
  }
  for (const uint64_t length : {0, 1}) failure(with_length(length, "{}"));
}

TEST_F(SafeTensorsTest, HeadersThatAreNotObjects) {
  for (const char* header :
       {"", " ", "{", "[]", "3", "null", "\"x\"", "{\"t\":}", "{}x", "\xFF\xFE", "{\"\xFF\":{}}"}) {
    expect_failure(header, "", "JSON object");
  }
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  failure(raw_file(deep, ""));
  failure(raw_file("{\"t\":" + deep + "}", ""));
  failure(raw_file(one(deep, "[1]", "[0,4]"), "1234"));
  failure(raw_file(one("\"F32\"", deep, "[0,4]"), "1234"));
  failure(raw_file(one("\"F32\"", "[" + deep + "]", "[0,4]"), "1234"));
  failure(raw_file(one("\"F32\"", "[1]", deep), "1234"));
}

TEST_F(SafeTensorsTest, FieldsOfTheWrongTypeOrMissing) {
  const std::string data = "12345678";
  for (const char* entry :
       {"3", "null", "[]", "\"x\"", "{}", R"({"dtype":"F32","shape":[2]})",
        R"({"dtype":"F32","data_offsets":[0,8]})", R"({"shape":[2],"data_offsets":[0,8]})"}) {
    expect_failure("{\"t\":" + std::string(entry) + "}", data, "'t'");
  }
  for (const char* dtype : {"3", "null", "\"\"", "\"F33\"", "\"f32\"", "[\"F32\"]", "{}"}) {
    expect_failure(one(dtype, "[2]", "[0,8]"), data, "dtype");
  }
  for (const char* shape : {"2", "\"2\"", "null", "{}", "[1,1,1,1,1,1,1,1,2]"}) {
    expect_failure(one("\"F32\"", shape, "[0,8]"), data, "shape");
  }
  for (const char* shape :
       {"[-2]", "[2.0]", "[\"2\"]", "[null]", "[[2]]", "[9223372036854775808]", "[1e3]"}) {
    expect_failure(one("\"F32\"", shape, "[0,8]"), data, "sizes of 0 or more");
  }
  for (const char* offsets :
       {"8", "[]", "[8]", "[0,8,8]", "[0,\"8\"]", "[0.0,8]", "[-1,8]", "[0,-8]", "{}", "null",
        "[0,9223372036854775808]", "[18446744073709551615,8]"}) {
    expect_failure(one("\"F32\"", "[2]", offsets), data, "data_offsets");
  }
}

TEST_F(SafeTensorsTest, SizesThatOverflowOrDisagree) {
  const std::string data = "12345678";
  for (const char* shape : {"[4611686018427387904]", "[4294967296,4294967296]",
                            "[9223372036854775807,2]", "[65536,65536,65536,65536]"}) {
    expect_failure(one("\"F32\"", shape, "[0,8]"), data, "overflow");
  }
  // No bytes in all, but the number of elements would not fit on the way to 0.
  expect_failure(one("\"U8\"", "[4611686018427387904,2,0]", "[0,0]"), "", "overflow");
  write_plain(path(), raw_file(one("\"U8\"", "[3,0,5]", "[0,0]"), ""));
  EXPECT_TRUE(SafeTensors::open_file(path()));
  expect_failure(one("\"F32\"", "[3]", "[0,8]"), data, "12 bytes");
  expect_failure(one("\"F16\"", "[2]", "[0,8]"), data, "4 bytes");
  expect_failure(one("\"F64\"", "[2]", "[0,8]"), data, "16 bytes");
  expect_failure(one("\"F32\"", "[]", "[0,8]"), data, "4 bytes");
  expect_failure(one("\"F32\"", "[0]", "[0,8]"), data, "0 bytes");
}

// A name may hold anything; a message goes to a terminal.
TEST_F(SafeTensorsTest, MessagesHoldNoControlCharacters) {
  const std::string message =
      failure(raw_file(R"({"a\u001b[2J\u009bx\u007f":{"dtype":"F32","shape":[9]}})", ""));
  EXPECT_NE(message.find("'a?[2J??x?'"), std::string::npos) << message;
}

TEST_F(SafeTensorsTest, PlacesInTheData) {
  const std::string data = "12345678";
  expect_failure(one("\"F32\"", "[2]", "[8,0]"), data, "[8, 0]");
  expect_failure(one("\"F32\"", "[3]", "[0,12]"), data, "8 data bytes");
  expect_failure(one("\"F32\"", "[2]", "[9223372036854775799,9223372036854775807]"), data,
                 "8 data bytes");
  expect_failure(one("\"F32\"", "[1]", "[4,8]"), data, "gap");
  expect_failure(one("\"F32\"", "[1]", "[0,4]"), data, "cover 4");  // Trailing bytes.
  expect_failure("{}", "x", "cover 0");
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":)" + a + R"(},"b":{"dtype":"U8","shape":)" + b + "}}";
  };
  write_plain(path(),
              raw_file(two(R"([4],"data_offsets":[4,8])", R"([4],"data_offsets":[0,4])"), data));
  EXPECT_TRUE(SafeTensors::open_file(path())) << "order in the header is free";
  expect_failure(two(R"([5],"data_offsets":[0,5])", R"([4],"data_offsets":[4,8])"), data,
                 "overlap");
  expect_failure(two(R"([8],"data_offsets":[0,8])", R"([8],"data_offsets":[0,8])"), data,
                 "overlap");
  expect_failure(two(R"([3],"data_offsets":[0,3])", R"([4],"data_offsets":[4,8])"), data, "gap");
  // One name twice: JSON keeps one of them, the other's bytes are a gap.
  expect_failure(
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
      data, "gap");
}

TEST_F(SafeTensorsTest, EveryCutOfARealFileIsRefused) {
  const std::string source = kGoldenModels + "prenorm_defaults/model.safetensors";
  std::filesystem::copy_file(source, path());
  uint64_t length = 0;
  std::memcpy(&length, read_file(source)->data(), sizeof length);
  const auto header_end = static_cast<int64_t>(length) + 8;
  const auto whole = static_cast<int64_t>(std::filesystem::file_size(path()));
  // Every length near both ends, the end of the header, and steps of a prime between; longest
  // first.
  std::set<int64_t, std::greater<>> sizes;
  for (int64_t i = 1; i <= 100; ++i) sizes.insert({i - 1, whole - i, header_end - 50 + i});
  for (int64_t size = 0; size < whole; size += 4999) sizes.insert(size);
  for (const int64_t size : sizes) {
    ASSERT_EQ(::truncate(path().c_str(), size), 0);
    const Result<SafeTensors> files = SafeTensors::open_file(path());
    ASSERT_FALSE(files) << "cut to " << size;
    EXPECT_EQ(files.error().code(), ErrorCode::kCorrupt);
  }
  EXPECT_GT(sizes.size(), 400u);
}

TEST_F(SafeTensorsTest, IndexesThatAreWrong) {
  const float value = 1;
  for (const char* name : {"x", "y"}) {
    SafeTensorsWriter writer;
    writer.add(name, std::span(&value, 1), {1});
    writer.add("in_both", std::span(&value, 1), {1});
    ASSERT_TRUE(writer.write(path(std::string(name) + ".safetensors")));
  }
  for (const char* index :
       {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":null})", "\xFF"}) {
    EXPECT_NE(index_failure(index).find("weight_map"), std::string::npos);
  }
  const auto map = [](const std::string& inside) { return R"({"weight_map":{)" + inside + "}}"; };
  for (const char* shard :
       {"3", "null", "[]", R"("../x.safetensors")", R"("/etc/passwd")", R"("sub/x.safetensors")"}) {
    EXPECT_NE(index_failure(map("\"x\":" + std::string(shard))).find("a file name"),
              std::string::npos);
  }
  EXPECT_NE(index_failure(map(R"("x":"z.safetensors")")).find("z.safetensors"), std::string::npos);
  for (const char* shard : {"\"\"", "\".\"", "\"..\""})
    index_failure(map("\"x\":" + std::string(shard)));
  EXPECT_NE(index_failure(map(R"("q":"x.safetensors")")).find("'q' is not in 'x.safetensors'"),
            std::string::npos);
  EXPECT_NE(index_failure(map(R"("x":"x.safetensors","y":"y.safetensors")")).find("two files"),
            std::string::npos);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  index_failure(map("\"x\":" + deep));
  index_failure(deep);
  write_plain(path("bad.safetensors"), "1234567");
  EXPECT_NE(index_failure(map(R"("x":"bad.safetensors")")).find("bad.safetensors"),
            std::string::npos);
}

TEST_F(SafeTensorsTest, FoldersWithoutAModel) {
  const Result<SafeTensors> files = SafeTensors::open_folder(folder_.path());
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(files.error().message().find("model.safetensors.index.json"), std::string::npos);
  EXPECT_EQ(SafeTensors::open_file(path("absent")).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(make_directories(path("model.safetensors")));
  EXPECT_FALSE(SafeTensors::open_folder(folder_.path()));
}

// A broken single file is an error, not a reason to look for shards.
TEST_F(SafeTensorsTest, ABrokenFileIsNotSkipped) {
  write_plain(path("model.safetensors"), "short");
  write_plain(path("model.safetensors.index.json"), R"({"weight_map":{}})");
  EXPECT_EQ(SafeTensors::open_folder(folder_.path()).error().code(), ErrorCode::kCorrupt);
}

std::string mutate(std::string bytes, std::mt19937_64& random) {
  static const char kAlphabet[] = "{}[]\",:0123456789-.eFBIU\\ \xFF";
  const uint64_t times = 1 + random() % 3;
  for (uint64_t i = 0; i < times && !bytes.empty(); ++i) {
    const size_t at = random() % bytes.size();
    const char letter = kAlphabet[random() % (sizeof kAlphabet - 1)];
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = letter;
        break;
      case 2:
        bytes.insert(at, 1, letter);
        break;
      case 3:
        bytes.erase(at, 1 + random() % 4);
        break;
      default:
        bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 24));
        break;
    }
  }
  return bytes;
}

// 10,000 changed headers: each is read to the last byte of every view, or refused with a message.
// Half of them get their length put right, so that the changes reach the parser.
TEST_F(SafeTensorsTest, MutatedHeaders) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"I64","shape":[],"data_offsets":[32,40]}})";
  const std::string data(40, 'd');
  std::mt19937_64 random(2024);
  int accepted = 0;
  for (int round = 0; round < 10000; ++round) {
    const bool fix_length = round % 2 == 0;
    const std::string bytes = fix_length ? raw_file(mutate(header, random), data)
                                         : mutate(raw_file(header, data), random);
    write_plain(path(), bytes);
    const Result<SafeTensors> files = SafeTensors::open_file(path());
    if (!files) {
      ASSERT_EQ(files.error().code(), ErrorCode::kCorrupt);
      ASSERT_FALSE(files.error().message().empty());
      continue;
    }
    ++accepted;
    size_t covered = 0;
    for (const auto& [name, info] : files->tensors()) {
      for (const std::byte byte : info.data) covered += byte == std::byte{'d'} ? 1 : 0;
    }
    ASSERT_LE(covered, bytes.size());
  }
  EXPECT_GT(accepted, 50);  // Changed names, types of equal size and metadata stay right.
  EXPECT_LT(accepted, 5000);
}

}  // namespace
}  // namespace levin::engine
