// What a night does, step by step. Each may be begun again after it was cut off: what was done is found done.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/log.h"
#include "daemon/nights.h"

namespace conceptd::daemon {
namespace {

namespace fs = std::filesystem;
using registry::Job;
using registry::JobKind;
using registry::JobState;
using registry::StepState;
using Monotonic = std::chrono::steady_clock;

constexpr const char* kActor = "conceptd";
constexpr int kJobsLookedAt = 1000, kBuckets = 256, kFaultsKept = 20, kTries = 2;
constexpr std::string_view kBackupPrefix = "night-";

double seconds_since(Monotonic::time_point began) {
  return std::chrono::duration<double>(Monotonic::now() - began).count();
}

void stop_at_the_end(registry::NightStep& step, const std::string& left) {
  step.state = StepState::stopped;
  step.message = Nights::kTimeOver + (left.empty() ? "" : ": " + left);
}

std::vector<Job> learn_jobs(registry::Registry& registry, JobState state) {
  return registry.jobs().list({.state = state, .kind = JobKind::learn, .limit = kJobsLookedAt});
}

// What is to be learnt and has not begun, and what runs. Urgent jobs are nobody's night.
std::pair<std::int64_t, std::optional<Job>> open_jobs(registry::Registry& registry) {
  const auto is_ours = [](const Job& job) { return !job.urgent; };
  const auto queued = learn_jobs(registry, JobState::queued), running = learn_jobs(registry, JobState::running);
  const auto found = std::find_if(running.begin(), running.end(), is_ours);
  return {std::count_if(queued.begin(), queued.end(), is_ours),
          found == running.end() ? std::nullopt : std::optional(*found)};
}

// How the jobs that ended since then ended.
Json ended_since(registry::Registry& registry, TimePoint began) {
  Json ended{{"learnt", Json::array()}, {"failed", Json::array()}};
  for (const Job& job : learn_jobs(registry, JobState::done))
    if (job.finished_at >= began && !job.urgent)
      ended["learnt"].push_back(
          {{"name", job.name},
           {"job", job.id},
           {"version", job.result_version ? Json(*job.result_version) : Json()},
           {"seconds", std::chrono::duration<double>(*job.finished_at - job.started_at.value_or(began)).count()}});
  for (const Job& job : learn_jobs(registry, JobState::failed))
    if (job.finished_at >= began && !job.urgent)
      ended["failed"].push_back({{"name", job.name}, {"job", job.id}, {"why", job.error_message}});
  return ended;
}

// "night-2026-11-23-7": 7; 0 for what no night made.
std::int64_t night_of_backup(const std::string& name) {
  constexpr std::size_t kBeforeNumber = kBackupPrefix.size() + 11;
  if (!name.starts_with(kBackupPrefix) || name.size() <= kBeforeNumber || name.size() > kBeforeNumber + 15) return 0;
  const std::string number = name.substr(kBeforeNumber);
  const bool digits = std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::stoll(number) : 0;
}

std::vector<std::string> nightly_backups(const fs::path& folder) {  // newest first
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.is_directory() && night_of_backup(entry.path().filename()) > 0) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end(),
            [](const auto& a, const auto& b) { return night_of_backup(a) > night_of_backup(b); });
  return names;
}

}  // namespace

void Nights::learn(const Night& night, Step& step) {
  {
    const std::lock_guard lock(mutex_);
    learning_ = true;
  }
  if (settings_.wake_learning) settings_.wake_learning();
  for (;;) {
    check_stopping();
    const auto [queued, running] = open_jobs(registry_);
    if (queued == 0 && !running) break;
    const auto paused = registry_.jobs().paused();
    if (is_over(night) || paused) {  // what runs and is paused may stand still for days
      stop_at_the_end(step, std::to_string(queued + (running ? 1 : 0)) + " not learnt, and still queued");
      if (!is_over(night)) step.message = "learning is paused by " + paused->actor;
      break;
    }
    say(night, step, (running ? "learning " + running->name + ", " : "") + std::to_string(queued) + " more queued");
    wait();
  }
  {
    const std::lock_guard lock(mutex_);
    learning_ = false;
  }
  step.detail = ended_since(registry_, night.began_at);
  if (step.state == StepState::running)
    step.message = std::to_string(step.detail["learnt"].size()) + " learnt, " +
                   std::to_string(step.detail["failed"].size()) + " failed";
}

void Nights::consolidate(const Night& night, Step& step) {
  step.state = StepState::skipped;
  if (!settings_.consolidates) {
    step.message = "this release has no consolidation: each concept is drawn from its own version";
    return;
  }
  const registry::State next = registry_.after_night(night.id);
  ConsolidateOrder order{.base_folder = model_.facts().folder,
                         .base_fingerprint = model_.facts().fingerprint,
                         .dtype = model_.facts().dtype,
                         .threads = settings_.threads,
                         .memory_bytes_max = settings_.memory_bytes_max};
  for (const auto& [name, entry] : next.entries) {
    if (entry.base_fingerprint == order.base_fingerprint) continue;
    step.message = name + " was learnt on another base, so what is published is no map of one base";
    return;
  }
  if (next.entries.size() < 2) {
    step.message = "fewer than two concepts";
    return;
  }
  if (registry_.is_consolidated(next)) {
    step.message = "what is published has one already";
    return;
  }
  for (const auto& [name, entry] : next.entries) {
    order.names.push_back(name);
    order.deltas.push_back(registry_.delta(entry.delta));
    const auto photos = registry_.version(registry::ConceptName::parse(name), entry.version).photos;
    order.photos.push_back(photos.empty() ? std::string() : registry_.photo(photos.front()));
  }
  step.state = StepState::running;
  say(night, step, "making one delta of " + std::to_string(order.names.size()));
  WorkerProcess worker(settings_.worker_command);
  const auto said = ask_worker(worker, order, task_settings(night));
  const auto* result = std::get_if<WorkerResult>(&said);
  if (!result) throw Error(Code::corrupt, "the worker answered something else than a delta");
  step.detail = {{"accepted", result->accepted},
                 {"verdict", result->verdict_reason},
                 {"concepts", order.names},
                 {"metrics", parse_json(result->metrics, "what the worker measured")}};
  if (result->accepted) {
    model_.load(result->delta, "the consolidated delta");
    step.detail["delta"] = registry_.keep_consolidated(result->delta).hex();
    step.detail["manifest"] = manifest_of(next).hex();
  }
  step.message = (result->accepted ? "accepted: " : "refused: ") + result->verdict_reason;
}

void Nights::publish(const Night& night, Step& step) {
  std::optional<registry::Consolidated> consolidated;
  for (const Step& before : registry_.nights().get(night.id).steps)
    if (before.name == "consolidate" && before.detail.contains("delta"))
      consolidated = {.delta = Digest::parse(before.detail["delta"].get<std::string>()),
                      .manifest = Digest::parse(before.detail["manifest"].get<std::string>())};
  const registry::NightPublished done = registry_.publish_night(night.id, consolidated, kActor);
  {
    const std::lock_guard lock(mutex_);
    collecting_.reset();
  }
  live_.now();  // loads it before anybody asks
  Json concepts = Json::array();
  std::map<std::string, int> counts;
  for (const registry::NightLearnt& item : done.learnt) {
    ++counts[item.outcome];
    concepts.push_back(
        {{"name", item.name}, {"version", item.version}, {"outcome", item.outcome}, {"reason", item.reason}});
    if (item.outcome != "published")
      spdlog::warn("night {}: {}@{} is not published: {}", night.id, item.name, item.version, item.reason);
  }
  step.detail = {{"state", done.state->id},
                 {"moved", done.moved},
                 {"concepts", concepts},
                 {"consolidated", done.moved && consolidated && done.state->consolidated == consolidated->delta}};
  step.message =
      done.moved ? "state " + std::to_string(done.state->id) + ": " + std::to_string(counts["published"]) + " published"
                 : "nothing to publish";
  if (const int not_published = counts["refused"] + counts["left"]; not_published > 0)
    step.message += ", " + std::to_string(not_published) + " not";
}

bool Nights::wait_for_jobs(const Night& night) {
  while (!registry_.jobs().paused() && !registry_.jobs().list({.state = JobState::running, .limit = 1}).empty()) {
    if (is_over(night)) return false;
    wait();
  }
  return true;
}

void Nights::measure(const Night& night, Step& step) {
  if (!settings_.what.measure) {
    step.state = StepState::skipped;
    step.message = "night.measure is off";
    return;
  }
  const auto head = registry_.head();
  std::map<std::string, std::int64_t> last = registry_.nights().last_measured();
  Json result{{"same", Json::array()}, {"first", Json::array()}, {"changed", Json::array()}, {"failed", Json::array()}};
  for (const registry::NightMeasure& known : registry_.nights().measures(night.id, night.id))
    result[known.outcome].push_back(known.name);
  std::vector<std::pair<std::int64_t, std::string>> turns;  // those that waited longest first
  for (const auto& [name, entry] : head->entries)
    if (last[name] != night.id && entry.base_fingerprint == model_.facts().fingerprint)
      turns.emplace_back(last[name], name);
  std::sort(turns.begin(), turns.end());
  std::optional<WorkerProcess> worker;
  std::size_t done = 0;
  bool cut_off = false;
  for (; done < turns.size() && !is_over(night); ++done) {
    const std::string& name = turns[done].second;
    say(night, step, "drawing " + name + ", " + std::to_string(turns.size() - done - 1) + " more");
    const registry::StateEntry& entry = head->entries.find(name)->second;
    ProbeOrder order{.name = name,
                     .class_word = entry.class_word,
                     .delta = {},
                     .photos = {},
                     .base_folder = model_.facts().folder,
                     .base_fingerprint = model_.facts().fingerprint,
                     .dtype = model_.facts().dtype,
                     .threads = settings_.threads,
                     .memory_bytes_max = settings_.memory_bytes_max};
    for (int tried = 1;; ++tried) {
      try {
        order.delta = registry_.delta(entry.delta);
        order.photos.clear();
        for (const Digest& photo : registry_.version(registry::ConceptName::parse(name), entry.version).photos)
          order.photos.push_back(registry_.photo(photo));
        cut_off = !wait_for_jobs(night);
        if (cut_off) break;
        if (!worker) worker.emplace(settings_.worker_command);
        const auto began = Monotonic::now();
        const auto said = ask_worker(*worker, order, task_settings(night));
        const auto* probe = std::get_if<WorkerProbe>(&said);
        if (!probe) throw Error(Code::corrupt, "the worker answered something else than a probe");
        const std::string outcome = registry_.nights().keep_measure(
            {.night = night.id,
             .name = name,
             .version = entry.version,
             .delta = entry.delta,
             .pictures = Digest::parse(probe->pictures),
             .count = probe->count,
             .conditions = probe->conditions,
             .identity = std::isnan(probe->identity) ? std::nullopt : std::optional(probe->identity),
             .fidelity = probe->fidelity,
             .seconds = seconds_since(began)});
        result[outcome].push_back(name);
        if (outcome == "changed")
          spdlog::error("night {}: {}@{} does not draw what it drew: {} has changed", night.id, name, entry.version,
                        probe->pictures);
        break;
      } catch (const Error& error) {
        check_stopping();
        worker.reset();
        cut_off = error.code() == Code::cancelled;
        if (cut_off) break;
        if (error.code() == Code::not_found && error.field() == "gate") {
          step.state = StepState::skipped;
          step.message = error.what();
          return;
        }
        if (error.code() == Code::unavailable && tried < kTries) continue;
        spdlog::error("night {}: {} could not be measured: {}", night.id, name, error.what());
        result["failed"].push_back({{"name", name}, {"why", error.what()}});
        break;
      }
    }
    if (cut_off) break;
  }
  step.detail = result;
  const auto count = [&](const char* what) { return result[what].size(); };
  step.message = std::to_string(count("same")) + " draw the same bytes, " + std::to_string(count("first")) +
                 " for the first time, " + std::to_string(count("changed")) + " others";
  if (count("changed") + count("failed") > 0) {
    step.state = StepState::failed;
    for (const Json& name : result["changed"]) step.message += "; changed: " + name.get<std::string>();
    for (const Json& item : result["failed"])
      step.message += "; " + item["name"].get<std::string>() + ": " + item["why"].get<std::string>();
  } else if (done < turns.size()) {
    stop_at_the_end(step, std::to_string(turns.size() - done) + " not measured, first next time");
  }
}

void Nights::collect_garbage(const Night&, Step& step) {
  if (!settings_.what.gc) {
    step.state = StepState::skipped;
    step.message = "night.gc is off";
    return;
  }
  const registry::GcReport report = registry_.gc({}, kActor);
  step.detail = {{"versions", report.versions.size()}, {"concepts", report.concepts},       {"photos", report.photos},
                 {"previews", report.previews},        {"stray_files", report.stray_files}, {"bytes", report.bytes}};
  step.message = "erased " + std::to_string(report.versions.size()) + " versions and " + std::to_string(report.photos) +
                 " photos, " + std::to_string(report.bytes) + " bytes";
}

void Nights::verify(const Night& night, Step& step) {
  std::vector<std::string> faults = registry_.verify(registry::Registry::Depth::quick);
  const int days = settings_.what.verify_days, share = (kBuckets + days - 1) / days;
  const int before = step.detail.value("buckets", 0);  // of this night, before it was cut off
  int done = before;
  for (const int bucket : registry_.nights().oldest_buckets(std::max(0, share - before))) {
    check_stopping();
    if (is_over(night)) break;
    for (std::string& fault : registry_.verify_bucket(bucket)) faults.push_back(std::move(fault));
    registry_.nights().note_verified(night.id, bucket);
    step.detail["buckets"] = ++done;
  }
  for (const std::string& fault : faults) spdlog::error("night {}: verify: {}", night.id, fault);
  const auto whole = registry_.nights().verified_since();
  step.detail["of"] = kBuckets;
  step.detail["all_since"] = whole ? Json(to_iso8601(*whole)) : Json();
  step.detail["faults"] = std::vector<std::string>(
      faults.begin(), faults.begin() + std::min<std::ptrdiff_t>(std::ssize(faults), kFaultsKept));
  if (!faults.empty())
    throw Error(Code::corrupt, std::to_string(faults.size()) + " faults; the first: " + faults.front());
  step.message = std::to_string(done) + " of " + std::to_string(kBuckets) + " parts hashed, no fault";
  if (done < share) stop_at_the_end(step, std::to_string(share - done) + " parts not hashed, first next time");
}

void Nights::back_up(const Night& night, Step& step) {
  const int keep = settings_.what.backups_keep;
  if (keep == 0) {
    step.state = StepState::skipped;
    step.message = "night.backups is 0";
    return;
  }
  const fs::path folder = registry_.root() / "backups";
  const std::string name = std::string(kBackupPrefix) + night.date + "-" + std::to_string(night.id);
  step.detail = {{"name", name}, {"missing", Json::array()}, {"removed", Json::array()}};
  if (!fs::exists(folder / name)) {  // it has its name only when it is whole
    const registry::BackupReport report = registry_.back_up(folder / name, kActor);
    step.detail["bytes"] = report.database_bytes;
    step.detail["photos"] = report.photos;
    step.detail["missing"] = report.missing;
  }
  const std::vector<std::string> names = nightly_backups(folder);
  for (std::size_t i = static_cast<std::size_t>(keep); i < names.size(); ++i)
    if (registry_.remove_backup(names[i], kActor)) step.detail["removed"].push_back(names[i]);
  if (!step.detail["missing"].empty())
    throw Error(Code::corrupt, name + " lacks " + std::to_string(step.detail["missing"].size()) +
                                   " photos that are missing or damaged here");
  step.message = name + (step.detail["removed"].empty()
                             ? ""
                             : ", and " + std::to_string(step.detail["removed"].size()) + " older removed");
}

}  // namespace conceptd::daemon
