#include "cpu/walk_upload.hpp"

#include <cstring>

namespace gs {

static_assert(sizeof(WalkRule) == 32 && sizeof(WalkQuery) == 32,
              "copied to the device as they are");
static_assert(sizeof(Hit) == 16, "copied from the device as they are");

WalkUpload pack(Adjacency& rows, const WalkBatch& batch) {
  const Journal& journal = rows.journal();
  const SlackView view = rows.view();
  WalkUpload out;
  out.everything = journal.is_everything();
  out.num_nodes = static_cast<int64_t>(journal.nodes().size());
  out.num_slots = static_cast<int64_t>(journal.slots().size());
  const size_t nodes = journal.nodes().size(), slots = journal.slots().size();
  out.bytes.resize(sizeof(WalkRule) + batch.queries.size() * sizeof(WalkQuery) +
                   nodes * (sizeof(NodeRecord) + sizeof(int32_t)) +
                   slots * (sizeof(Entry) + sizeof(int64_t)));
  uint8_t* at = out.bytes.data();
  const auto put = [&at](const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(at, from, bytes);
    at += bytes;
  };
  put(&batch.rule, sizeof(WalkRule));
  put(batch.queries.data(), batch.queries.size() * sizeof(WalkQuery));
  for (int32_t x : journal.nodes()) put(&view.nodes[x], sizeof(NodeRecord));
  for (int64_t s : journal.slots()) put(&view.pool[s], sizeof(Entry));
  put(journal.slots().data(), slots * sizeof(int64_t));
  put(journal.nodes().data(), nodes * sizeof(int32_t));
  rows.journal().start();
  return out;
}

}  // namespace gs
