#include "registry/registry.h"

#include "core/error.h"
#include "core/file_io.h"
#include "core/log.h"
#include "registry/answer_store.h"
#include "registry/blob_store.h"
#include "registry/disk.h"
#include "registry/migrate.h"
#include "registry/night_store.h"
#include "registry/rows.h"
#include "registry/sqlite.h"
#include "registry/token_store.h"

namespace conceptd::registry {
namespace fs = std::filesystem;
namespace {

std::unique_ptr<FileLock> lock_root(const fs::path& root) {
  make_folder(root);
  refuse_network_disk(root);
  return std::make_unique<FileLock>(root / "lock");
}

// Folders that a process made and died before their names were synced: what is put into them from now on would go with
// them if the power failed.
void sync_what_is_there(const fs::path& root) {
  for (const fs::path& folder : {root, root / "photos"})
    if (fs::is_directory(folder)) sync_folder(folder);
  try {
    sync_folder(root.parent_path());
  } catch (const Error& error) {  // it is not ours, and need not be readable
    spdlog::debug("the folder that the registry lies in cannot be synced: {}", error.what());
  }
}

// What a crash left of them; nothing names it.
void sweep_unfinished_backups(const fs::path& folder) {
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().find(kTemporarySuffix) != std::string::npos)
      unfinished.push_back(entry.path());
  for (const fs::path& path : unfinished) remove_tree(path);
}

}  // namespace

std::unique_ptr<Registry> Registry::open(const fs::path& root, const Clock& clock, RegistryLimits limits) {
  return std::unique_ptr<Registry>(new Registry(fs::weakly_canonical(fs::absolute(root)), clock, limits));
}

Registry::Registry(const fs::path& root, const Clock& clock, RegistryLimits limits)
    : root_(root),
      clock_(clock),
      limits_(limits),
      lock_(lock_root(root)),
      database_(std::make_unique<Database>(root / "registry.db")),
      photos_(std::make_unique<BlobStore>(root / "photos")),
      jobs_(std::make_unique<JobQueue>(*database_, clock, limits.jobs_queued_max)) {
  sync_what_is_there(root_);
  photos_->sweep_unfinished();
  sweep_unfinished_backups(root_ / "backups");
  migrate(*database_, embedded_migrations(), clock_, root_ / "backups");
  tokens_ = std::make_unique<TokenStore>(*database_, clock_);
  answers_ = std::make_unique<AnswerStore>(*database_, clock_);
  nights_ = std::make_unique<NightStore>(*database_, clock_);
  Transaction tx(*database_, Transaction::Kind::immediate, "opening the registry");
  if (tx.value("SELECT count(*) FROM head") == 0) {
    const TimePoint now = clock_.now();
    tx.run("INSERT INTO state (id, reason, actor, created_at) VALUES (0, 'the registry was created', 'conceptd', ?)",
           now);
    tx.run("INSERT INTO head (id, state) VALUES (1, 0)");
    append_audit(tx, now, "conceptd", "create", "state 0", Json::object());
  }
  std::shared_ptr<const State> state = read_state(tx, head_id(tx));
  tx.commit();
  head_ = std::move(state);
}

Registry::~Registry() = default;

std::shared_ptr<const State> Registry::head() const {
  const std::lock_guard lock(head_mutex_);
  return head_;
}

// A commit that threw may have happened all the same; so what a decision rests on is asked of the database, and memory
// is corrected if it differs.
std::shared_ptr<const State> Registry::head_in(Transaction& tx) const {
  const std::int64_t id = head_id(tx);
  std::shared_ptr<const State> known = head();
  return known->id == id ? known : read_state(tx, id);
}

void Registry::commit_head(Transaction& tx, std::shared_ptr<const State> state) {
  tx.commit();
  const std::lock_guard lock(head_mutex_);
  head_ = std::move(state);
}

std::vector<AuditRow> Registry::audit(std::optional<std::string> subject, int limit) const {
  Transaction tx(*database_, Transaction::Kind::read, "reading the audit");
  return read_audit(tx, subject, limit);
}

std::optional<std::string> Registry::verify_audit_chain() const {
  Transaction tx(*database_, Transaction::Kind::read, "verifying the audit");
  return fault_in_audit_chain(tx);
}

std::string Registry::schema() const { return std::string(embedded_migrations().back().name); }

bool Registry::is_writable() const noexcept { return !database_->last_commit_failed(); }

Counts Registry::counts() const {
  Transaction tx(*database_, Transaction::Kind::read, "counting");
  Counts counts;
  counts.concepts = tx.value("SELECT count(*) FROM concept WHERE removed_at IS NULL");
  counts.photos = tx.value("SELECT count(*) FROM photo");
  counts.photo_bytes = tx.value("SELECT coalesce(sum(size_bytes), 0) FROM photo");
  counts.versions = tx.value("SELECT count(*) FROM version");
  counts.delta_bytes = tx.value("SELECT coalesce(sum(length(bytes)), 0) FROM delta");
  counts.states = tx.value("SELECT count(*) FROM state");
  counts.head = head_id(tx);
  Statement row = tx.query(
      // A draft that failed is nobody's trouble: the concept's own job goes on.
      "SELECT state, count(*) FROM job WHERE NOT (draft AND state = 'failed') GROUP BY state");
  while (row.step()) {
    const std::int64_t count = row.integer(1);
    switch (job_state_from_string(row.text(0))) {
      case JobState::queued:
        counts.jobs_queued = count;
        break;
      case JobState::running:
        counts.jobs_running = count;
        break;
      case JobState::done:
        counts.jobs_done = count;
        break;
      case JobState::failed:
        counts.jobs_failed = count;
        break;
      case JobState::cancelled:
        counts.jobs_cancelled = count;
        break;
    }
  }
  counts.database_bytes = tx.value("PRAGMA page_count") * tx.value("PRAGMA page_size");
  return counts;
}

}  // namespace conceptd::registry
