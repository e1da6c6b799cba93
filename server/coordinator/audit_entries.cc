#include "audit_entries.h"

#include "skep/release/package.h"

namespace skep::coordinator {
namespace {

audit::Event event_of(const store::Model& model) {
  if (model.state == store::Model::kRejected) return audit::Event::kModelRejected;
  return model.rolls_back_to == 0 ? audit::Event::kModelReleased : audit::Event::kModelRolledBack;
}

// What is not there is not mentioned.
void append(std::string& text, const std::string& what) {
  if (!text.empty() && !what.empty()) text += "; ";
  text += what;
}

}  // namespace

audit::Entry model_made(const store::Model& model, std::uint32_t base_version, const Cause& cause,
                        std::int64_t now_unix_s) {
  audit::Entry entry{.unix_s = now_unix_s,
                     .event = event_of(model),
                     .actor = cause.actor,
                     .subject = "version " + std::to_string(model.version),
                     .before = "version " + std::to_string(base_version),
                     .after = "package sha256 " + release::to_hex(release::sha256(model.package))};
  if (model.round != 0) append(entry.after, "of round " + std::to_string(model.round));
  if (model.rolls_back_to != 0) {
    append(entry.after, "content of version " + std::to_string(model.rolls_back_to));
  }
  append(entry.after, cause.reason);
  return entry;
}

audit::Entry round_closed(const store::Round& round, const Cause& cause, std::int64_t now_unix_s) {
  audit::Entry entry{.unix_s = now_unix_s,
                     .event = audit::Event::kRoundClosed,
                     .actor = cause.actor,
                     .subject = "round " + std::to_string(round.id),
                     .before = "open",
                     .after = to_string(round.state)};
  append(entry.after, cause.reason);
  std::string names;
  for (const std::string& name : cause.contributors) names += (names.empty() ? "" : ",") + name;
  if (!names.empty()) append(entry.after, "contributors " + names);
  return entry;
}

audit::Entry round_opened(const store::Round& round) {
  return {.unix_s = round.opened_unix_s,
          .event = audit::Event::kRoundOpened,
          .actor = {},
          .subject = "round " + std::to_string(round.id),
          .before = {},
          .after = "base version " + std::to_string(round.base_version)};
}

}  // namespace skep::coordinator
