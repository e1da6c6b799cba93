#include "committer.h"

#include <algorithm>

namespace skep::intake {
namespace {

store::StoredUpdate to_row(const server::Valid& update) {
  return {.device = update.device(),
          .round = update.round(),
          .digest = update.digest(),
          .sealed = update.sealed(),
          .sample_count = update.sample_count(),
          .loss_q16 = update.loss_before_q16()};
}

bool is_refusal(Status status) {
  return status == Status::kAlreadyAnswered || status == Status::kWrongRound ||
         status == Status::kRevoked;
}

// Within a transaction. Throws StoreError if the store failed.
Answer insert(store::Store& store, const server::Valid& update, const Pending& pending,
              std::int64_t now_unix_s) {
  const std::uint64_t token = pending.token;
  // The name may even have come back, with another key.
  if (store.is_revoked(pending.key)) {
    return make_refusal(token, {Status::kRevoked, "the device's key is revoked"});
  }
  if (store.update_digest(update.device(), update.round()) == update.digest()) {
    return make_receipt(token, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE, update.round(),
                        update.digest());
  }
  try {
    store.insert_update(to_row(update), now_unix_s);
  } catch (const store::StoreError& error) {
    if (!is_refusal(error.status())) throw;
    return make_refusal(token, {error.status(), error.what()});
  }
  return make_receipt(token, skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED, update.round(),
                      update.digest());
}

// Likewise.
Answer settle(store::Store& store, const Pending& pending, std::int64_t now_unix_s) {
  const auto* update = std::get_if<server::Valid>(&pending.outcome);
  Answer answer = update != nullptr
                      ? insert(store, *update, pending, now_unix_s)
                      : make_refusal(pending.token, std::get<Refusal>(pending.outcome));
  if (answer.status != Status::kOk) store.count_refusal(pending.device, answer.status, now_unix_s);
  return answer;
}

// When nothing could be stored: a refusal stays what it was.
Answer give_up(const Pending& pending, const char* why) {
  const auto* refusal = std::get_if<Refusal>(&pending.outcome);
  return make_refusal(pending.token,
                      refusal != nullptr ? *refusal : Refusal{Status::kStorageFailed, why});
}

}  // namespace

CommitReport commit(store::Store& store, const std::vector<Pending>& batch,
                    std::int64_t now_unix_s) {
  CommitReport report;
  try {
    store::Transaction transaction(store);
    for (const Pending& pending : batch) {
      Answer answer = settle(store, pending, now_unix_s);
      if (answer.status == Status::kOk &&
          answer.receipt.status == skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED) {
        ++report.accepted[answer.receipt.round];
      }
      report.answers.push_back(std::move(answer));
    }
    transaction.commit();
  } catch (const store::StoreError& error) {
    report = {};
    for (const Pending& pending : batch) report.answers.push_back(give_up(pending, error.what()));
  }
  return report;
}

Answer make_receipt(std::uint64_t token, skep_ReceiptStatus status, std::uint32_t round,
                    const server::Digest& digest) {
  Answer answer;
  answer.token = token;
  answer.receipt.version = 1;
  answer.receipt.status = status;
  answer.receipt.round = round;
  std::ranges::copy(digest, answer.receipt.update_digest);
  return answer;
}

Answer make_refusal(std::uint64_t token, const Refusal& refusal) {
  Answer answer;
  answer.token = token;
  answer.status = refusal.status;
  answer.detail = refusal.detail;
  return answer;
}

}  // namespace skep::intake
