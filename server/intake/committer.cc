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
Answer insert(store::Store& store, const Pending& pending, std::int64_t now_unix_s) {
  const server::Valid& update = pending.update;
  if (store.update_digest(update.device(), update.round()) == update.digest()) {
    return make_receipt(pending.token, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE, update.round(),
                        update.digest());
  }
  try {
    store.insert_update(to_row(update), now_unix_s);
  } catch (const store::StoreError& error) {
    if (!is_refusal(error.status())) throw;
    return make_refusal(pending.token, {error.status(), error.what()});
  }
  return make_receipt(pending.token, skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED, update.round(),
                      update.digest());
}

}  // namespace

CommitReport commit(store::Store& store, const std::vector<Pending>& batch,
                    std::int64_t now_unix_s) {
  CommitReport report;
  try {
    store::Transaction transaction(store);
    for (const Pending& pending : batch) {
      Answer answer = insert(store, pending, now_unix_s);
      if (answer.status == Status::kOk &&
          answer.receipt.status == skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED) {
        ++report.accepted[pending.update.round()];
      }
      report.answers.push_back(std::move(answer));
    }
    transaction.commit();
  } catch (const store::StoreError& error) {
    report = {};
    for (const Pending& pending : batch) {
      report.answers.push_back(make_refusal(pending.token, {Status::kStorageFailed, error.what()}));
    }
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
