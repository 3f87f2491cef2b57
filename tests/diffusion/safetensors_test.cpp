// Goal: what is written comes back, the same every time; what does not add up is refused, and the message names the
// tensor.
#include "diffusion/safetensors.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::diffusion {
namespace {

std::string document(const std::string& header, const std::string& data = {}) {
  std::string bytes;
  for (int k = 0; k < 8; ++k) bytes.push_back(static_cast<char>(header.size() >> (8 * k) & 0xff));
  return bytes + header + data;
}
SafetensorsFile parse(const std::string& header, const std::string& data = {}) {
  return SafetensorsFile::parse(document(header, data), "a.safetensors");
}

TEST(Safetensors, ReadsEveryDtypeOfTheGolden) {
  const auto file = SafetensorsFile::open(test::golden("formats/dtypes.safetensors"));
  const auto expected = golden_json("formats/dtypes.json");
  EXPECT_EQ(file.names().size(), expected.size());
  EXPECT_FALSE(file.metadata().empty());
  const std::map<std::string, torch::ScalarType> dtypes{
      {"float64", torch::kDouble}, {"float32", torch::kFloat},     {"float16", torch::kHalf}, {"int64", torch::kLong},
      {"int32", torch::kInt},      {"bfloat16", torch::kBFloat16}, {"int16", torch::kShort},  {"int8", torch::kChar},
      {"uint8", torch::kByte},     {"bool", torch::kBool}};
  for (const auto& [name, entry] : expected.items()) {
    for (const auto& tensor : {file.tensor(name), file.view(name)}) {
      EXPECT_EQ(tensor.scalar_type(), dtypes.at(entry.at("dtype"))) << name;
      EXPECT_EQ(tensor.sizes().vec(), entry.at("shape").get<std::vector<int64_t>>()) << name;
      const auto values = torch::tensor(entry.at("values").get<std::vector<double>>(), torch::kDouble);
      EXPECT_TRUE(torch::equal(tensor.to(torch::kDouble).flatten(), values)) << name;
    }
  }
}

TEST(Safetensors, WritesWhatItReadsTheSameEveryTime) {
  const auto file = SafetensorsFile::open(test::golden("formats/dtypes.safetensors"));
  const auto bytes = safetensors_bytes(file.tensors(), file.metadata());
  EXPECT_EQ(bytes, safetensors_bytes(file.tensors(), file.metadata()));
  EXPECT_EQ(bytes[0] % 8, 0);  // the header's length: data stands aligned
  const auto again = SafetensorsFile::parse(bytes, "again");
  EXPECT_EQ(again.metadata(), file.metadata());
  ASSERT_EQ(again.names(), file.names());
  for (const auto& name : file.names()) {
    EXPECT_EQ(again.entry(name).bytes, file.entry(name).bytes) << name;
  }
}

TEST(Safetensors, SavesAndMapsFiles) {
  const test::TempFolder folder;
  const auto path = folder / "a.safetensors";
  save_safetensors(path, {{"a", torch::arange(6).view({2, 3})}, {"b", torch::ones({2, 3}).t()}}, {{"k", "v"}});
  Tensor view;
  {
    const auto file = SafetensorsFile::open(path);
    EXPECT_EQ(file.metadata(), (StringMap{{"k", "v"}}));
    view = file.view("a");
  }
  EXPECT_TRUE(torch::equal(view, torch::arange(6).view({2, 3})));  // the mapping outlives the file object
  view.add_(1);                                                    // and a stray write reaches no other reader
  EXPECT_TRUE(torch::equal(load_safetensors(path).at("a"), torch::arange(6).view({2, 3})));
  EXPECT_EQ(load_safetensors(path).at("b").sizes(), at::IntArrayRef({3, 2}));
  EXPECT_ERROR(SafetensorsFile::open(folder / "none"), Code::not_found, "none");
  EXPECT_ERROR(SafetensorsFile::open(folder.path()), Code::invalid, "regular");
  test::plant(folder / "empty", "");
  EXPECT_ERROR(SafetensorsFile::open(folder / "empty"), Code::corrupt, "too short");
}

TEST(Safetensors, RefusesHeadersThatDoNotAddUp) {
  EXPECT_ERROR(SafetensorsFile::parse("1234567", "a"), Code::corrupt, "too short");
  EXPECT_ERROR(SafetensorsFile::parse(std::string(8, '\xff'), "a"), Code::corrupt, "the limit is");
  EXPECT_ERROR(SafetensorsFile::parse(document("{}").substr(0, 9), "a"), Code::corrupt, "longer than the file");
  EXPECT_ERROR(parse(""), Code::corrupt, "header");
  EXPECT_ERROR(parse("[]"), Code::corrupt, "not a JSON object");
  EXPECT_ERROR(parse(" {}"), Code::corrupt, "not a JSON object");
  EXPECT_ERROR(parse("{"), Code::corrupt, "JSON");
  EXPECT_ERROR(parse("{\"a\xff\":{}}"), Code::corrupt, "JSON");
  EXPECT_ERROR(parse(std::string(1000, '[')), Code::corrupt, "nested");
  EXPECT_ERROR(parse(R"({"__metadata__":{"k":1}})"), Code::corrupt, "\"k\"");
  EXPECT_ERROR(parse(R"({"__metadata__":[]})"), Code::corrupt, "__metadata__");
  EXPECT_ERROR(parse("{}", "x"), Code::corrupt, "after the last tensor");
  EXPECT_TRUE(parse("{}   ").names().empty());
}

TEST(Safetensors, RefusesTensorsThatDoNotAddUpAndNamesThem) {
  const auto tensor = [](const std::string& fields) { return "{\"the tensor\":" + fields + "}"; };
  const std::string data(16, '\0');
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "object"},
      {R"({})", "dtype"},
      {R"({"dtype":"F8_E4M3","shape":[16],"data_offsets":[0,16]})", "F8_E4M3"},
      {R"({"dtype":4,"shape":[4],"data_offsets":[0,16]})", "dtype"},
      {R"({"dtype":"F32","data_offsets":[0,16]})", "shape"},
      {R"({"dtype":"F32","shape":4,"data_offsets":[0,16]})", "shape"},
      {R"({"dtype":"F32","shape":[-4],"data_offsets":[0,16]})", "shape"},
      {R"({"dtype":"F32","shape":[4.0],"data_offsets":[0,16]})", "shape"},
      {R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]})", "shape"},
      {R"({"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]})", "overflows"},
      {R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})", "overflows"},
      {R"({"dtype":"F32","shape":[18446744073709551615,0],"data_offsets":[0,0]})", "overflows"},
      {R"({"dtype":"F32","shape":[4]})", "data_offsets"},
      {R"({"dtype":"F32","shape":[4],"data_offsets":[0]})", "data_offsets"},
      {R"({"dtype":"F32","shape":[4],"data_offsets":[-16,0]})", "data_offsets"},
      {R"({"dtype":"F32","shape":[4],"data_offsets":[16,0]})", "beyond the end"},
      {R"({"dtype":"F32","shape":[5],"data_offsets":[0,20]})", "beyond the end"},
      {R"({"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]})", "beyond the end"},
      {R"({"dtype":"F32","shape":[3],"data_offsets":[0,16]})", "need 12"},
      {R"({"dtype":"F32","shape":[3],"data_offsets":[4,16]})", "hole"},
      {R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})", "after the last tensor"},
      {R"({"dtype":"F32","shape":[3],"data_offsets":[2,14]})", "aligned"},
  };
  for (const auto& [fields, part] : cases) {
    SCOPED_TRACE(fields);
    EXPECT_ERROR(parse(tensor(fields), data), Code::corrupt, part);
    EXPECT_ERROR(parse(tensor(fields), data), Code::corrupt, "\"the tensor\"");
  }
  const std::string one = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)";
  EXPECT_ERROR(parse("{" + one + R"("b":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}})", data), Code::corrupt,
               "\"b\" overlaps");
  EXPECT_ERROR(parse("{" + one + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})", data), Code::corrupt,
               "\"b\" leaves a hole");
  EXPECT_ERROR(parse("{" + one + R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", data), Code::corrupt,
               "'a' appears twice");
  EXPECT_ERROR(parse(R"({"t":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", "\2"), Code::corrupt,
               "neither 0 nor 1");
  EXPECT_ERROR(parse("{}").tensor("gone"), Code::corrupt, "\"gone\"");
}

TEST(Safetensors, SurvivesRandomDamage) {
  const auto whole =
      safetensors_bytes({{"a", torch::ones({3, 2})}, {"b", torch::ones({5}, torch::kByte)}}, {{"k", "v"}});
  std::mt19937 random(7);
  int refused = 0;
  for (int k = 0; k < 20000; ++k) {
    auto bytes = whole;
    for (unsigned n = 0; n <= random() % 3; ++n) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    try {
      SafetensorsFile::parse(bytes, "damaged").tensors();
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), Code::corrupt) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

TEST(Safetensors, RefusesToWriteWhatItCouldNotRead) {
  EXPECT_ERROR(safetensors_bytes({{"__metadata__", torch::ones({1})}}), Code::invalid, "__metadata__");
  EXPECT_ERROR(safetensors_bytes({{"c", torch::ones({1}, torch::kComplexFloat)}}), Code::invalid, "\"c\"");
  EXPECT_ERROR(safetensors_bytes({{"\xff", torch::ones({1})}}), Code::invalid, "header");
}

}  // namespace
}  // namespace conceptd::diffusion
