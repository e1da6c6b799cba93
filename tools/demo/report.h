// What the demo prints.
#pragma once

#include <cstdio>
#include <string>

#include "scenario.h"

namespace skep::demo {

/// A table that grows while it learns. On a terminal the last line counts the updates that came.
class LiveTable final : public Observer {
 public:
  /// `stream` outlives the object.
  explicit LiveTable(std::FILE* stream);

  void on_step(const std::string& what) override;
  void on_progress(std::uint32_t round, std::uint32_t received, std::uint32_t devices) override;
  void on_round(const RoundRow& row) override;

 private:
  void clear_progress();

  std::FILE* stream_;
  bool is_terminal_;
  bool has_header_ = false;
  bool has_accuracy_ = false;  // its column
  bool has_progress_ = false;
};

/// For people.
std::string to_text(const Summary& summary, double seconds);

/// One JSON document, with a newline at its end.
std::string to_json(const Summary& summary, double seconds);

}  // namespace skep::demo
