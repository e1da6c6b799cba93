// The table of models: every version that ever was.
#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

Model read_model(const Query& row) {
  return {.version = row.u32(0),
          .rolls_back_to = row.u32(1),
          .round = row.u32(2),
          .state = static_cast<Model::State>(row.integer(3)),
          .package = row.blob(4)};
}

}  // namespace

void Store::insert_model(const Model& model) {
  AtomicSection section(*connection_);
  if (const std::uint32_t last = last_model_version(); model.version <= last) {
    throw StoreError(Status::kInvalidArgument, "model version " + std::to_string(model.version) +
                                                   " is not higher than " + std::to_string(last));
  }
  connection_
      ->query("INSERT INTO models VALUES (?, ?, ?, ?, ?)", model.version, model.rolls_back_to,
              model.round, static_cast<int>(model.state), model.package)
      .run();
  section.commit();
}

std::optional<Model> Store::model(std::uint32_t version) {
  Query query = connection_->query("SELECT * FROM models WHERE version = ?", version);
  if (!query.step()) return std::nullopt;
  return read_model(query);
}

std::optional<Model> Store::released_model() {
  Query query =
      connection_->query("SELECT * FROM models WHERE state = 1 ORDER BY version DESC LIMIT 1");
  if (!query.step()) return std::nullopt;
  return read_model(query);
}

std::uint32_t Store::last_model_version() {
  return static_cast<std::uint32_t>(connection_->integer(
      "SELECT max(model_version, (SELECT coalesce(max(version), 0) FROM models)) FROM floors"));
}

std::uint32_t Store::model_version_floor() {
  return static_cast<std::uint32_t>(connection_->integer("SELECT model_version FROM floors"));
}

std::vector<Model> Store::models() {
  std::vector<Model> models;
  Query query = connection_->query("SELECT * FROM models ORDER BY version");
  while (query.step()) models.push_back(read_model(query));
  return models;
}

}  // namespace skep::store
