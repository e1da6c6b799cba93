#include "console_events.h"

#include "skep/port_baremetal/board.h"
#include "skep/port_baremetal/crypto_arena.h"
#include "skep/port_baremetal/line.h"

namespace skep::port_baremetal {

void ConsoleEvents::begin_work() { begin_ = board::ticks(); }

void ConsoleEvents::end_work() { busy_ticks_ += board::ticks() - begin_; }

void ConsoleEvents::on_event(const round::Event& event) {
  Line line;
  line.text("event").field("kind", round::to_string(event.kind));
  line.field("status", to_string(event.status)).field("round", event.round);
  line.field("model_version", event.model_version);
  if (event.kind == round::EventKind::kUpdateStored) {
    line.field("update_bytes", event.update_bytes).field("sample_count", event.sample_count);
    line.field("loss_before_q16", event.loss_before_q16);
    line.field("loss_after_q16", event.loss_after_q16);
  }
  line.field("busy_ticks", busy_ticks_ + board::ticks() - begin_).end();
  if (event.kind == round::EventKind::kUpdateAccepted) report_health();
}

void ConsoleEvents::report_health() const {
  const FlashHealth health = storage_.health();
  Line line;
  line.text("health").field("stack_peak_bytes", board::stack_peak_bytes());
  line.field("stack_bytes", board::stack_size_bytes());
  line.field("crypto_arena_peak_bytes", crypto_arena_peak_bytes());
  line.field("crypto_arena_bytes", crypto_arena_bytes());
  line.field("flash_erases", health.all_erases).field("most_erases", health.most_erases);
  line.field("flash_errors", health.read_errors + health.program_errors + health.erase_errors);
  line.end();
}

}  // namespace skep::port_baremetal
