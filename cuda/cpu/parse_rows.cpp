// Reading METIS bodies: line i holds the neighbours of node i, counted from 1.
#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/text.hpp"

namespace gs {
namespace {

struct RowSpec {
  int64_t num_nodes;
  int node_weights;  // numbers before the neighbours of each line
  bool weighted;     // each neighbour is followed by the weight of its edge
};

template <class Index>
struct Rows {
  const char* end;
  int32_t* counts;  // entries of each row
  Index* indices;
  double* weights;
  int64_t rows = 0, rows_left = 0, entries = 0, comments = 0;
  std::vector<int64_t> skips{};
  Fault fault{};
};

// The field at p, for the paths that are not fast.
Field field_at(const char* p, const char* eol) {
  Field f{p, p};
  while (f.end < eol && !is_blank(*f.end)) ++f.end;
  return f;
}

const char* skip_blanks(const char* p) {
  while (is_blank(*p)) ++p;
  return p;
}

bool ends_field(char c) { return is_blank(c) || c == '\n' || c == '\r'; }

// Read a node number; returns the byte behind it or null.
const char* read_node(const char* p, const char* eol, const LineSpec& ids, uint64_t* id,
                      Fault* fault) {
  const int digits = scan_digits(p, id);
  *id -= 1;
  if (digits > 0 && digits <= 18 && *id < ids.limit && ends_field(p[digits])) return p + digits;
  const Field f = field_at(p, eol);
  const Problem problem = parse_id(f, ids, id);
  if (problem == Problem::kNone) return f.end;
  *fault = f.fault(problem);
  return nullptr;
}

const char* read_weight(const char* p, const char* eol, int of_edge, double* value, Fault* fault) {
  if (p >= eol) {
    *fault = {Problem::kMissingWeight, eol, of_edge};
    return nullptr;
  }
  const char* stop = scan_plain_real(p, value);
  if (stop && ends_field(*stop)) return stop;
  const Field f = field_at(p, eol);
  const Problem problem = parse_real(f, value);
  if (problem == Problem::kNone) return f.end;
  *fault = f.fault(problem);
  return nullptr;
}

// The numbers of one line into one row.
template <class Index>
bool read_row(const char* p, const char* eol, const RowSpec& spec, Rows<Index>& out) {
  const LineSpec ids{0, 0, 0, 0, 0, 0, 1, static_cast<uint64_t>(spec.num_nodes)};
  double ignored;
  for (int i = 0; i < spec.node_weights; ++i) {
    p = read_weight(skip_blanks(p), eol, 0, &ignored, &out.fault);
    if (!p) return false;
  }
  const int64_t first = out.entries;
  for (p = skip_blanks(p); p < eol; p = skip_blanks(p)) {
    uint64_t id;
    p = read_node(p, eol, ids, &id, &out.fault);
    if (!p) return false;
    if (spec.weighted) {
      p = read_weight(skip_blanks(p), eol, 1, &out.weights[out.entries], &out.fault);
      if (!p) return false;
    }
    out.indices[out.entries++] = static_cast<Index>(id);
  }
  out.counts[out.rows++] = static_cast<int32_t>(out.entries - first);
  return true;
}

template <class Index>
void read_rows(const char* p, const RowSpec& spec, Rows<Index>& out) {
  while (p < out.end) {
    const char* newline = line_end(p, out.end);
    const char* eol = newline;
    if (eol > p && eol[-1] == '\r') --eol;
    const char* first = skip_blanks(p);
    const bool full = out.rows == out.rows_left;
    if (*first == '%' || (full && first >= eol)) {
      out.comments += *first == '%';
      out.skips.push_back(out.rows);
    } else if (full) {
      out.fault = {Problem::kTooManyRows, first, eol - first};
      return;
    } else if (!read_row(p, eol, spec, out)) {
      return;
    }
    p = newline + 1;
  }
}

// Whole lines -> (counts, indices, weights or None, (skips, comments, problem, position, size)).
// Empty lines are rows until `num_nodes` rows are there, `rows_before` of them in earlier text.
template <class Index>
nb::object parse_rows(Out<uint8_t> buffer, int64_t size, int64_t num_nodes, int64_t rows_before,
                      int node_weights, bool weighted) {
  const char* text = close_text(buffer.data(), buffer.shape(0), size);
  const RowSpec spec{num_nodes, node_weights, weighted};
  const int64_t lines = std::count(text, text + size, '\n') + 1;
  const int64_t most = size / (weighted ? 4 : 2) + 1;
  Fresh<int32_t> counts(lines);
  Fresh<Index> indices(most);
  Fresh<double> weights(weighted ? most : 0);
  Rows<Index> out{text + size, counts.data.get(), indices.data.get(), weights.data.get()};
  out.rows_left = num_nodes - rows_before;
  {
    nb::gil_scoped_release free;
    read_rows(text, spec, out);
  }
  counts.size = out.rows;
  indices.size = out.entries;
  weights.size = out.entries;
  Fresh<int64_t> skips(static_cast<int64_t>(out.skips.size()));
  std::copy(out.skips.begin(), out.skips.end(), skips.data.get());
  nb::object w = weighted ? nb::cast(weights.release()) : nb::none();
  return nb::make_tuple(
      counts.release(), indices.release(), w,
      nb::make_tuple(skips.release(), out.comments, static_cast<int>(out.fault.problem),
                     out.fault ? out.fault.at - text : 0, out.fault.size));
}

}  // namespace

void bind_parse_rows(nb::module_& m) {
  using namespace nb::literals;
  m.def("parse_rows32", &parse_rows<int32_t>, "text"_a, "size"_a, "num_nodes"_a, "rows_before"_a,
        "node_weights"_a, "weighted"_a);
  m.def("parse_rows64", &parse_rows<int64_t>, "text"_a, "size"_a, "num_nodes"_a, "rows_before"_a,
        "node_weights"_a, "weighted"_a);
}

}  // namespace gs
