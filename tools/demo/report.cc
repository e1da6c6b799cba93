#include "report.h"

#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdarg>
#include <nlohmann/json.hpp>

namespace skep::demo {
namespace {

// printf into a string; lines of the summary are short.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  std::array<char, 256> line{};
  va_list arguments;
  va_start(arguments, pattern);
  (void)std::vsnprintf(line.data(), line.size(), pattern, arguments);
  va_end(arguments);
  return line.data();
}

// The first measure on held-out samples that a task has.
std::string to_text(const Quality& quality) {
  return quality.accuracy ? format("%.2f %%", *quality.accuracy * 100)
                          : format("loss %.3f", quality.loss);
}

std::string quality_text(const Summary& summary) {
  if (!summary.final_model.accuracy) {
    return format("held-out loss      %8.3f  integers, data never left the devices\n",
                  summary.final_model.loss) +
           format("                   %8.3f  float32, all data in one place\n",
                  summary.float_model.loss);
  }
  return format("accuracy           %6.2f %%  integers, data never left the devices\n",
                *summary.final_model.accuracy * 100) +
         format("                   %6.2f %%  float32, all data in one place\n",
                summary.float_model.accuracy.value_or(0) * 100);
}

std::string detection_text(const char* label, const Detection& found, const Watch& watch,
                           const char* how) {
  return format("%-18s %zu of %zu failures, false alarms %zu of %zu windows, AUC %.3f  %s\n", label,
                found.failures_found, watch.failures, found.false_alarms, watch.normal_windows,
                found.area_under_curve, how);
}

std::string poison_text(const Summary& summary) {
  const std::string accuracy = summary.poisoned_accuracy ? format(" (%.2f %% on held-out data)",
                                                                  *summary.poisoned_accuracy * 100)
                                                         : std::string();
  return "poisoned release   " + summary.poisoned_release + accuracy + "\n";
}

nlohmann::ordered_json measures_of(const Summary& summary) {
  if (!summary.watch) {
    return {{"accuracy", summary.final_model.accuracy.value_or(0)},
            {"float_accuracy", summary.float_model.accuracy.value_or(0)}};
  }
  const Watch& watch = *summary.watch;
  return {{"held_out_loss", summary.final_model.loss},
          {"float_held_out_loss", summary.float_model.loss},
          {"failures", watch.failures},
          {"failures_found", watch.ours.failures_found},
          {"float_failures_found", watch.in_float.failures_found},
          {"normal_windows", watch.normal_windows},
          {"false_alarms", watch.ours.false_alarms},
          {"float_false_alarms", watch.in_float.false_alarms},
          {"auc", watch.ours.area_under_curve},
          {"float_auc", watch.in_float.area_under_curve}};
}

}  // namespace

LiveTable::LiveTable(std::FILE* stream)
    : stream_(stream), is_terminal_(isatty(fileno(stream)) == 1) {}

void LiveTable::clear_progress() {
  if (has_progress_) std::fputs("\r\033[K", stream_);
  has_progress_ = false;
}

void LiveTable::on_step(const std::string& what) {
  clear_progress();
  std::fprintf(stream_, "\n== %s\n", what.c_str());
  std::fflush(stream_);
  has_header_ = false;
}

void LiveTable::on_progress(std::uint32_t round, std::uint32_t received, std::uint32_t devices) {
  if (!is_terminal_) return;
  clear_progress();
  std::fprintf(stream_, "%5" PRIu32 "  %3" PRIu32 " of %" PRIu32 " heard", round, received,
               devices);
  std::fflush(stream_);
  has_progress_ = true;
}

void LiveTable::on_round(const RoundRow& row) {
  clear_progress();
  if (!has_header_) {
    has_accuracy_ = row.accuracy.has_value();
    std::fprintf(stream_, "round  devices   bytes up  bytes down    loss%s  outcome\n",
                 has_accuracy_ ? "  accuracy" : "");
    has_header_ = true;
  }
  std::string accuracy;
  if (has_accuracy_) {
    accuracy = row.accuracy ? format(" %7.2f %%", *row.accuracy * 100) : std::string("         -");
  }
  std::fprintf(stream_, "%5" PRIu32 "  %7" PRIu32 "  %9" PRIu64 "  %10" PRIu64 "  %6.3f%s  %s\n",
               row.round, row.devices, row.bytes_up, row.bytes_down, row.loss, accuracy.c_str(),
               row.outcome.c_str());
  std::fflush(stream_);
}

std::string to_text(const Summary& summary, double seconds) {
  const double dense_bytes = summary.dense_float_bytes;
  std::string text = "\n== summary\n";
  text += format("%" PRIu32 " devices, %" PRIu32 " rounds, %.0f s\n", summary.devices,
                 summary.rounds, seconds);
  text += quality_text(summary);
  if (summary.watch) {
    const Watch& watch = *summary.watch;
    text += detection_text("found", watch.ours, watch, "integers");
    text += detection_text("", watch.in_float, watch, "float32");
  }
  text +=
      format("bytes per update   %6.0f    sealed and signed, before DTLS\n", summary.update_bytes);
  text += format("                   %6.0f    dense float32, unprotected (%.1f times as many)\n",
                 dense_bytes, dense_bytes / summary.update_bytes);
  text += poison_text(summary);
  text += "rollback           " + summary.rollback + " (" + to_text(summary.bad_release) +
          " when forced, " + to_text(summary.rolled_back) + " after)\n";
  text += format("offline verify     %s, with one bit flipped: %s\n", summary.verify.c_str(),
                 summary.tampered_verify.c_str());
  text += "model SHA-256      " + summary.model_sha256 + "\n";
  return text;
}

std::string to_json(const Summary& summary, double seconds) {
  nlohmann::ordered_json document = measures_of(summary);
  document.update({
      {"rounds", summary.rounds},
      {"devices", summary.devices},
      {"update_bytes", summary.update_bytes},
      {"dense_float_bytes", summary.dense_float_bytes},
      {"model_sha256", summary.model_sha256},
      {"poisoned_release", summary.poisoned_release},
      {"rollback", summary.rollback},
      {"verify", summary.verify},
      {"tampered_verify", summary.tampered_verify},
      {"seconds", seconds},
  });
  return document.dump(2) + "\n";
}

}  // namespace skep::demo
