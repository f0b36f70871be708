// Walks of a stream that Python makes: on a GPU, through CuPy.
#include <nanobind/stl/optional.h>

#include <optional>

#include "cpu/bindings.hpp"
#include "cpu/dygrass.hpp"
#include "cpu/parallel.hpp"
#include "cpu/walk_upload.hpp"

namespace gs {
namespace {

using Bytes = nb::ndarray<nb::numpy, uint8_t, nb::ndim<1>>;

// Bytes of memory that outlives the call of the Python function, and no longer.
template <class T>
Bytes view_of(const T* data, int64_t count) {
  auto* bytes = reinterpret_cast<uint8_t*>(const_cast<T*>(data));
  return Bytes(bytes, {static_cast<size_t>(count) * sizeof(T)});
}

// What a Python walk maker is called with; its arrays must not be kept.
struct WalkWork {
  const Adjacency& rows;
  const WalkBatch& batch;
  const WalkUpload& upload;
  std::vector<Hit>& hits;
};

int64_t make_walks(const nb::callable& maker, Adjacency& rows, const WalkBatch& batch,
                   std::vector<Hit>& hits) {
  const WalkUpload upload = pack(rows, batch);
  WalkWork work{rows, batch, upload, hits};
  nb::gil_scoped_acquire gil;
  return nb::cast<int64_t>(maker(nb::cast(&work, nb::rv_policy::reference)));
}

// None: the threads of the CPU walk.
void set_walks(Dygrass& stream, std::optional<nb::callable> maker) {
  if (!maker) return stream.set_walks({});
  stream.set_walks(
      [maker = *maker](Adjacency& rows, const WalkBatch& batch, std::vector<Hit>& hits) {
        return make_walks(maker, rows, batch, hits);
      });
}

}  // namespace

void bind_walks(nb::module_& m, nb::class_<Dygrass>& stream) {
  using namespace nb::literals;
  nb::class_<WalkWork>(m, "WalkWork")
      .def_prop_ro("sparse", [](const WalkWork& w) { return w.batch.sparse; })
      .def_prop_ro("best", [](const WalkWork& w) { return w.batch.best; })
      .def_prop_ro("num_queries", [](const WalkWork& w) { return w.batch.queries.size(); })
      .def_prop_ro("num_nodes", [](const WalkWork& w) { return w.upload.num_nodes; })
      .def_prop_ro("num_slots", [](const WalkWork& w) { return w.upload.num_slots; })
      .def_prop_ro("everything", [](const WalkWork& w) { return w.upload.everything; })
      .def_prop_ro("upload",
                   [](const WalkWork& w) {
                     return view_of(w.upload.bytes.data(),
                                    static_cast<int64_t>(w.upload.bytes.size()));
                   })
      .def_prop_ro(
          "nodes",
          [](const WalkWork& w) { return view_of(w.rows.view().nodes, w.rows.num_nodes()); })
      .def_prop_ro(
          "pool", [](const WalkWork& w) { return view_of(w.rows.view().pool, w.rows.pool_size()); })
      .def_prop_ro("hits", [](const WalkWork& w) {
        return view_of(w.hits.data(), static_cast<int64_t>(w.hits.size()));
      });
  stream.def("set_walks", &set_walks, "maker"_a.none());
}

}  // namespace gs
