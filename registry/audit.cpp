// The audit chain: appended, read, verified.
#include "registry/rows.h"

namespace conceptd::registry {
namespace {

Digest link(const Digest& before, std::int64_t id, TimePoint at, const std::string& actor, const std::string& action,
            const std::string& subject, const Json& detail) {
  const Json fields{{"id", id},         {"at", to_iso8601(at)}, {"actor", actor},
                    {"action", action}, {"subject", subject},   {"detail", detail}};
  return Sha256().update(before.raw()).update(fields.dump()).finish();
}

AuditRow read_row(const Statement& row) {
  return {.id = row.integer(0),
          .at = row.time(1),
          .actor = row.text(2),
          .action = row.text(3),
          .subject = row.text(4),
          .detail = row.json(5),
          .hash = row.digest(6)};
}

constexpr std::string_view kSelect = "SELECT id, at, actor, action, subject, detail, hash FROM audit ";

}  // namespace

void append_audit(Transaction& tx, TimePoint now, const std::string& actor, const std::string& action,
                  const std::string& subject, const Json& detail) {
  Digest before;
  std::int64_t id = 1;
  {
    Statement last = tx.query("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1");
    if (last.step()) {
      id = last.integer(0) + 1;
      before = last.digest(1);
    }
  }
  tx.run("INSERT INTO audit (id, at, actor, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", id, now,
         actor, action, subject, detail, link(before, id, now, actor, action, subject, detail));
}

std::vector<AuditRow> read_audit(Transaction& tx, const std::optional<std::string>& subject, int limit) {
  std::vector<AuditRow> rows;
  Statement row =
      tx.query(std::string(kSelect) + "WHERE ?1 IS NULL OR subject = ?1 ORDER BY id DESC LIMIT ?2", subject, limit);
  while (row.step()) rows.push_back(read_row(row));
  return rows;
}

std::optional<std::string> fault_in_audit_chain(Transaction& tx) {
  Digest before;
  std::int64_t expected = 1;
  Statement row = tx.query(std::string(kSelect) + "ORDER BY id");
  for (; row.step(); ++expected) {
    const AuditRow audit = read_row(row);
    if (audit.id != expected) return "audit row " + std::to_string(expected) + " is missing";
    if (audit.hash != link(before, audit.id, audit.at, audit.actor, audit.action, audit.subject, audit.detail))
      return "audit row " + std::to_string(audit.id) + " (" + audit.action + " " + audit.subject + ") was changed";
    before = audit.hash;
  }
  const std::int64_t written = tx.value("SELECT seq FROM sqlite_sequence WHERE name = 'audit'");
  if (written != expected - 1)
    return "the audit ends at row " + std::to_string(expected - 1) + ", but " + std::to_string(written) +
           " were written";
  return std::nullopt;
}

}  // namespace conceptd::registry
