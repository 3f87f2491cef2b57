// Goal: a request is taken exactly as written or refused with the name of what is wrong; an answer survives a daemon
// that is newer or older than its client.
#include "daemon/api/wire.h"

#include "daemon/api/base64.h"
#include "daemon/api/limits.h"
#include "tests/support/expect_error.h"

namespace conceptd::api {
namespace {

Json add_request() {
  return {{"name", "kettle-7"},
          {"class", "kettle"},
          {"photos", {{{"name", "front.png"}, {"data", base64_encode("bytes")}}}}};
}

// The field that the Error names.
template <typename Request>
std::string field_at_fault(const Json& json) {
  try {
    decode_request<Request>(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::invalid) << error.what();
    return error.field();
  }
  return "none";
}

TEST(Requests, AreReadAsWritten) {
  const auto request = decode_request<AddConcept>(add_request());
  EXPECT_EQ(request.name, "kettle-7");
  EXPECT_EQ(request.class_word, "kettle");
  ASSERT_EQ(request.photos.size(), 1u);
  EXPECT_EQ(request.photos[0].data.data, "bytes");
  EXPECT_FALSE(request.steps);
  EXPECT_EQ(encode(request)["photos"][0]["data"], base64_encode("bytes"));
}

TEST(Requests, NameTheFieldAtFault) {
  Json json = add_request();
  json["colour"] = "red";
  EXPECT_EQ(field_at_fault<AddConcept>(json), "colour");
  json = add_request();
  json.erase("class");
  EXPECT_EQ(field_at_fault<AddConcept>(json), "class");
  json = add_request();
  json["steps"] = "many";
  EXPECT_EQ(field_at_fault<AddConcept>(json), "steps");
  json = add_request();
  json["photos"][0]["data"] = "not base64!";
  EXPECT_EQ(field_at_fault<AddConcept>(json), "photos[0].data");
  json = add_request();
  json["photos"][0]["url"] = "http://169.254.169.254/";
  EXPECT_EQ(field_at_fault<AddConcept>(json), "photos[0].url");
  json = add_request();
  json["photos"] = "photo.png";
  EXPECT_EQ(field_at_fault<AddConcept>(json), "photos");
  EXPECT_EQ(field_at_fault<GenerateRequest>({{"prompt", ""}}), "prompt");
  EXPECT_EQ(field_at_fault<GenerateRequest>({{"prompt", std::string("a\0b", 3)}}), "prompt");
  EXPECT_EQ(field_at_fault<GenerateRequest>({{"prompt", std::string(kPromptBytesMax + 1, 'a')}}), "prompt");
}

TEST(Requests, HoldAsManyStepsAsTheLearnersTake) {
  Json json = add_request();
  json["steps"] = kLearnStepsMax + 1;
  EXPECT_EQ(field_at_fault<AddConcept>(json), "steps");
  EXPECT_EQ(decode_request<LearnAgain>({{"steps", 10'000}}).steps, 10'000);
  EXPECT_EQ(field_at_fault<LearnAgain>({{"steps", 10'001}}), "steps");
}

TEST(Requests, CarryTheMethodsSettingsAsNumbersByName) {
  Json json = add_request();
  json["settings"] = {{"rate", 0.005}, {"batch", 4}};
  EXPECT_EQ(decode_request<AddConcept>(json).settings->values, json["settings"]);
  EXPECT_EQ(encode(decode_request<AddConcept>(json))["settings"], json["settings"]);
  EXPECT_FALSE(decode_request<LearnAgain>({{"settings", nullptr}}).settings);
  EXPECT_EQ(field_at_fault<LearnAgain>({{"settings", 5}}), "settings");
  EXPECT_EQ(field_at_fault<LearnAgain>({{"settings", {{"rate", "fast"}}}}), "settings.rate");
  EXPECT_EQ(field_at_fault<LearnAgain>({{"settings", {{"rate", {1}}}}}), "settings.rate");
  Json many = Json::object();
  for (int i = 0; i <= kSettingsMax; ++i) many["s" + std::to_string(i)] = i;
  EXPECT_EQ(field_at_fault<LearnAgain>({{"settings", many}}), "settings");
}

TEST(Requests, KeepNumbersInTheirRange) {
  const auto with = [](const char* name, const Json& value) { return Json{{"prompt", "a"}, {name, value}}; };
  for (const Json& wrong : {Json(0), Json(-1), Json(1'000'000), Json(1e300), Json(2.5), Json(true), Json("2"),
                            Json(std::uint64_t{1} << 63), Json(4'294'967'297)})
    EXPECT_EQ(field_at_fault<GenerateRequest>(with("steps", wrong)), "steps") << wrong;
  EXPECT_EQ(field_at_fault<GenerateRequest>(with("seed", -1)), "seed");
  EXPECT_EQ(field_at_fault<GenerateRequest>(with("seed", kSeedMax + 1)), "seed");
  EXPECT_EQ(field_at_fault<GenerateRequest>(with("guidance", 1e30)), "guidance");
  EXPECT_EQ(field_at_fault<GenerateRequest>(with("count", kCountMax + 1)), "count");
  EXPECT_EQ(field_at_fault<GenerateRequest>(with("width", 99'999)), "width");
  EXPECT_EQ(decode_request<GenerateRequest>(with("seed", kSeedMax)).seed, kSeedMax);
  EXPECT_EQ(decode_request<GenerateRequest>(with("guidance", 5)).guidance, 5);
  EXPECT_FALSE(decode_request<GenerateRequest>(with("steps", nullptr)).steps) << "null is as if it were not there";
  EXPECT_ERROR(decode_request<GenerateRequest>(Json::array()), Code::invalid, "must be a JSON object");
}

TEST(Answers, SurviveAnotherRelease) {
  const Json newer{{"job", {{"id", 7}, {"state", "running"}, {"mood", "good"}, {"progress", {{"step", 3}}}}}, {"x", 1}};
  const JobInfo job = decode_answer<JobAnswer>(newer).job;
  EXPECT_EQ(job.id, 7);
  EXPECT_EQ(job.progress.step, 3);
  EXPECT_FALSE(job.progress.loss);
  EXPECT_FALSE(job.is_over());
  EXPECT_EQ(decode_answer<Status>(Json::object()).release, "");
}

TEST(Answers, ComeBackWhole) {
  GenerateResponse response{
      .images = {{.seed = 42, .png = {std::string("\x89PNG\0", 5)}}},
      .prompt = "a <kettle-7>",
      .state = 3,
      .concepts = {{.name = "kettle-7", .version = 2, .digest = "sha256:ab", .method = "perfusion"}},
      .steps = 20,
      .guidance = 7.5,
      .warnings = {"careful"},
      .seconds = 1.5};
  const auto back = decode_answer<GenerateResponse>(encode(response));
  EXPECT_EQ(back.images[0].png.data, response.images[0].png.data);
  EXPECT_EQ(back.concepts[0].version, 2);
  EXPECT_EQ(back.warnings, response.warnings);
  EXPECT_EQ(encode(back), encode(response));
}

TEST(Errors, TravelWithTheirField) {
  const ErrorBody body = error_body(Error(Code::not_found, "no concept", "name"), {"kettle-7"});
  const ErrorBody back = decode_error(encode_error(body));
  EXPECT_EQ(to_error(back).code(), Code::not_found);
  EXPECT_EQ(back.field, "name");
  EXPECT_EQ(back.suggestions, body.suggestions);
}

TEST(Provenance, IsReadBackFromAPicturesTexts) {
  const Provenance provenance{
      .release = "0.1.0",
      .prompt = "a <kettle-7> at night",
      .negative_prompt = "blur",
      .seed = 42,
      .sampler = "ddim",
      .steps = 20,
      .guidance = 7.5,
      .width = 64,
      .height = 64,
      .state = 3,
      .concepts = {{.name = "kettle-7", .version = 2, .digest = "sha256:ab", .method = "perfusion"}},
      .base = "tiny-64",
      .base_fingerprint = "0123456789abcdef",
      .gate_bias = .5,
      .key_lock = "global",
      .concept_attention = "auto",
      .consolidated = "sha256:cd"};
  const auto texts = png_texts(provenance);
  EXPECT_EQ(encode(provenance_from(texts)), encode(provenance));
  EXPECT_EQ(texts[0].second,
            "a <kettle-7> at night\nNegative prompt: blur\nSteps: 20, Sampler: ddim, CFG scale: 7.5, Seed: 42, Size: "
            "64x64, Model hash: 0123456789, Model: tiny-64, Concept kettle-7: version 2, State: 3, Version: conceptd "
            "0.1.0");
  EXPECT_ERROR(provenance_from({{"parameters", "x"}}), Code::not_found, "does not say how it was made");
}

}  // namespace
}  // namespace conceptd::api
