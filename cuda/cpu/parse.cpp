// Reading edge lists: text lines of node, node and perhaps a weight into arrays.
// A fast loop takes the plain lines; every other line goes to read_line, which also finds what is
// wrong with it.
#include <nanobind/stl/vector.h>

#include "cpu/bindings.hpp"
#include "cpu/parallel.hpp"
#include "cpu/text.hpp"

namespace gs {
namespace {

// What came of one piece of text.  Rows are written to the piece's share of the output.
struct Piece {
  const char* begin;
  const char* end;
  int64_t offset = 0;  // of its rows in the output arrays
  int64_t rows = 0;
  int64_t comments = 0;
  std::vector<int64_t> skips{};  // rows read before each line that held none
  bool wide = false;             // an id does not fit into 32 bits
  Fault fault{};
};

template <class Index>
constexpr uint64_t kIndexLimit = sizeof(Index) == 4 ? (1ull << 31) - 1 : 1ull << 63;

// Read the fields of the line at p.  Returns the start of the next line, or null: end of piece.
inline const char* fields_of_line(const char* p, const LineSpec& spec, Piece& piece, Field* source,
                                  Field* target, Field* weight, bool* row) {
  const char* newline = line_end(p, piece.end);
  const char* eol = newline;
  if (eol > p && eol[-1] == '\r') --eol;
  const char* first = p;
  while (first < eol && is_blank(*first)) ++first;
  *row = false;
  if (first == eol || is_comment(first, spec.comments)) {
    piece.comments += first != eol;
    piece.skips.push_back(piece.rows);
    return newline + 1;
  }
  if (const void* cr = std::memchr(p, '\r', static_cast<size_t>(eol - p))) {
    piece.fault = {Problem::kCarriageReturn, static_cast<const char*>(cr), 1};
    return nullptr;
  }
  piece.fault = split_fields(p, eol, spec, source, target, weight);
  if (piece.fault) return nullptr;
  *row = true;
  return newline + 1;
}

// The slow twin of the fast loop, for one line.
template <class Index>
const char* read_line(const char* p, const LineSpec& spec, Piece& piece, Index* u, Index* v,
                      double* w) {
  Field source, target, weight;
  bool row;
  const char* next = fields_of_line(p, spec, piece, &source, &target, &weight, &row);
  if (!next || !row) return next;
  uint64_t id[2];
  for (int side = 0; side < 2; ++side) {
    const Field& f = side ? target : source;
    const Problem problem = parse_id(f, spec, &id[side]);
    if (problem != Problem::kNone) {
      piece.fault = f.fault(problem);
      return nullptr;
    }
    if (id[side] >= kIndexLimit<Index>) {
      piece.wide = true;
      return nullptr;
    }
  }
  if (spec.weight >= 0) {
    const Problem problem = parse_real(weight, &w[piece.rows]);
    if (problem != Problem::kNone) {
      piece.fault = weight.fault(problem);
      return nullptr;
    }
  }
  u[piece.rows] = static_cast<Index>(id[0]);
  v[piece.rows] = static_cast<Index>(id[1]);
  ++piece.rows;
  return next;
}

// Plain lines "digits, delimiter, digits[, delimiter, number]"; null where read_line must look.
template <class Index, bool Blanks, bool Weighted>
inline const char* read_plain_line(const char* p, char delimiter, uint64_t base, uint64_t limit,
                                   Index* u, Index* v, double* w) {
  uint64_t a, b;
  int digits = scan_digits(p, &a);
  if (digits == 0 || digits > 18) return nullptr;
  p += digits;
  if (Blanks ? !is_blank(*p) : *p != delimiter) return nullptr;
  ++p;
  if (Blanks)
    while (is_blank(*p)) ++p;
  digits = scan_digits(p, &b);
  if (digits == 0 || digits > 18) return nullptr;
  p += digits;
  a -= base;
  b -= base;
  if (a >= limit || b >= limit) return nullptr;
  *u = static_cast<Index>(a);
  *v = static_cast<Index>(b);
  if (Weighted) {
    if (Blanks ? !is_blank(*p) : *p != delimiter) return nullptr;
    ++p;
    if (Blanks)
      while (is_blank(*p)) ++p;
    p = scan_plain_real(p, w);
    if (!p) return nullptr;
  }
  if (*p == '\n') return p + 1;
  if (Blanks)
    while (is_blank(*p)) ++p;
  if (*p == '\r') ++p;
  return *p == '\n' ? p + 1 : nullptr;
}

template <class Index, bool Blanks, bool Weighted>
void read_piece(Piece& piece, const LineSpec& spec, Index* u, Index* v, double* w) {
  const char* p = piece.begin;
  const uint64_t base = static_cast<uint64_t>(spec.base);
  const uint64_t limit = std::min(spec.limit, kIndexLimit<Index>);
  const bool plain = spec.source == 0 && spec.target == 1 && spec.num_columns == 2 + Weighted &&
                     (!Weighted || spec.weight == 2);
  while (p < piece.end) {
    const int64_t k = piece.rows;
    const char* next = plain
                           ? read_plain_line<Index, Blanks, Weighted>(
                                 p, spec.delimiter, base, limit, u + k, v + k, Weighted ? w + k : w)
                           : nullptr;
    if (next) {
      ++piece.rows;
      p = next;
    } else {
      p = read_line(p, spec, piece, u, v, w);
      if (!p) return;
    }
  }
}

// Cut the text at line ends into about equal pieces.  A line with two ids has 4 bytes or more
// (3 where the last newline is missing), which bounds the rows of a piece.
std::vector<Piece> cut_lines(const char* text, int64_t size, int parts) {
  std::vector<Piece> pieces;
  const char* end = text + size;
  const char* p = text;
  for (int i = 0; i < parts && p < end; ++i) {
    const char* stop = i + 1 == parts ? end : std::max(p, text + even_cut(size, parts, i + 1));
    if (stop < end) stop = std::min(end, line_end(stop, end) + 1);
    pieces.push_back({p, stop});
    pieces.back().offset = (p - text) / 4 + static_cast<int64_t>(pieces.size()) - 1;
    p = stop;
  }
  return pieces;
}

int64_t most_rows(int64_t size, int parts) { return size / 4 + parts + 1; }

// The pieces as one: rows moved together, skips and comments added up, the first fault.
struct Joined {
  int64_t rows = 0, comments = 0;
  std::vector<int64_t> skips{};
  bool wide = false;
  Fault fault{};
};

template <class Move>
Joined join(const std::vector<Piece>& pieces, Move move) {
  Joined all;
  for (const Piece& piece : pieces) {
    for (const int64_t row : piece.skips) all.skips.push_back(all.rows + row);
    move(all.rows, piece);
    all.rows += piece.rows;
    all.comments += piece.comments;
    all.wide = piece.wide;
    all.fault = piece.fault;
    if (all.wide || all.fault) break;
  }
  return all;
}

template <class T>
nb::object shrunk(Fresh<T>& array, int64_t size) {
  array.size = size;
  return nb::cast(array.release());
}

nb::object as_array(const std::vector<int64_t>& values) {
  Fresh<int64_t> out(static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), out.data.get());
  return nb::cast(out.release());
}

nb::tuple describe(const Joined& all, const char* text) {
  const int64_t at = all.fault ? all.fault.at - text : 0;
  return nb::make_tuple(as_array(all.skips), all.comments, static_cast<int>(all.fault.problem), at,
                        all.fault.size);
}

template <class Index>
nb::object edges_as(const char* text, int64_t size, const LineSpec& spec, int threads) {
  std::vector<Piece> pieces = cut_lines(text, size, threads);
  const int64_t capacity = most_rows(size, threads);
  const bool weighted = spec.weight >= 0;
  Fresh<Index> u(capacity), v(capacity);
  Fresh<double> w(weighted ? capacity : 0);
  Joined all;
  {
    nb::gil_scoped_release free;
    const auto read =
        spec.delimiter == 0
            ? (weighted ? read_piece<Index, true, true> : read_piece<Index, true, false>)
            : (weighted ? read_piece<Index, false, true> : read_piece<Index, false, false>);
    const int count = static_cast<int>(pieces.size());
#pragma omp parallel for num_threads(threads) schedule(static, 1) if (count > 1)
    for (int i = 0; i < count; ++i) {
      const int64_t at = pieces[i].offset;
      read(pieces[i], spec, u.data.get() + at, v.data.get() + at,
           w.data.get() + (weighted ? at : 0));
    }
    all = join(pieces, [&](int64_t to, const Piece& piece) {
      if (to == piece.offset) return;
      const auto shift = [&](auto* a) {
        std::memmove(a + to, a + piece.offset, static_cast<size_t>(piece.rows) * sizeof(*a));
      };
      shift(u.data.get());
      shift(v.data.get());
      if (weighted) shift(w.data.get());
    });
  }
  if (all.wide) return nb::none();
  nb::object weights = weighted ? shrunk(w, all.rows) : nb::none();
  return nb::make_tuple(shrunk(u, all.rows), shrunk(v, all.rows), weights, describe(all, text));
}

LineSpec make_spec(int delimiter, int num_columns, const std::vector<int>& columns, int comments,
                   int64_t base, int64_t limit) {
  if (columns.size() != 3) throw std::invalid_argument("columns must be source, target, weight");
  return {
      static_cast<char>(delimiter), num_columns, columns[0], columns[1], columns[2], comments, base,
      static_cast<uint64_t>(limit)};
}

// Whole lines -> (u, v, w or None, (skips, comments, problem, position, size)); the ids are int32
// where all of them fit.
nb::object parse_edges(Out<uint8_t> buffer, int64_t size, int delimiter, int num_columns,
                       std::vector<int> columns, int comments, int64_t base, int64_t limit,
                       int num_threads) {
  const char* text = close_text(buffer.data(), buffer.shape(0), size);
  const LineSpec spec = make_spec(delimiter, num_columns, columns, comments, base, limit);
  const int threads = size < (1 << 18) ? 1 : resolve_threads(num_threads);
  nb::object narrow = edges_as<int32_t>(text, size, spec, threads);
  return narrow.is_none() ? edges_as<int64_t>(text, size, spec, threads) : narrow;
}

// Append a name to the pool, with doubled quotes made single.
char* copy_name(const Field& f, char* to) {
  for (const char* p = f.begin; p < f.end; ++p) {
    *to++ = *p;
    if (f.quoted && *p == '"') ++p;
  }
  return to;
}

Fault append_names(const Field* sides, char*& pool, const char* start, int32_t*& offset) {
  for (int side = 0; side < 2; ++side) {
    const Field& f = sides[side];
    if (f.begin == f.end) return f.fault(Problem::kNotAnId);
    if (has_control(f)) return f.fault(Problem::kBinary);
    pool = copy_name(f, pool);
    *offset++ = static_cast<int32_t>(pool - start);
  }
  return {};
}

// Whole lines -> (names, offsets, w or None, (skips, comments, problem, position, size)).  Names
// 2 i and 2 i + 1 are the ends of row i: bytes offsets[j]:offsets[j + 1] of `names`.
nb::object parse_names(Out<uint8_t> buffer, int64_t size, int delimiter, int num_columns,
                       std::vector<int> columns, int comments) {
  const char* text = close_text(buffer.data(), buffer.shape(0), size);
  const LineSpec spec = make_spec(delimiter, num_columns, columns, comments, 0, 1);
  const int64_t capacity = most_rows(size, 1);
  const bool weighted = spec.weight >= 0;
  Fresh<uint8_t> names(size);
  Fresh<int32_t> offsets(2 * capacity + 1);
  Fresh<double> w(weighted ? capacity : 0);
  Joined all;
  {
    nb::gil_scoped_release free;
    Piece piece{text, text + size};
    char* const start = reinterpret_cast<char*>(names.data.get());
    char* pool = start;
    int32_t* offset = offsets.data.get();
    *offset++ = 0;
    Field weight, sides[2];
    bool row;
    for (const char* p = text; p < piece.end;) {
      p = fields_of_line(p, spec, piece, &sides[0], &sides[1], &weight, &row);
      if (!p) break;
      if (!row) continue;
      piece.fault = append_names(sides, pool, start, offset);
      if (!piece.fault && weighted) {
        const Problem problem = parse_real(weight, &w.data[piece.rows]);
        if (problem != Problem::kNone) piece.fault = weight.fault(problem);
      }
      if (piece.fault) break;
      ++piece.rows;
    }
    all = join({piece}, [](int64_t, const Piece&) {});
  }
  const int64_t used = offsets.data[2 * all.rows];
  nb::object weights = weighted ? shrunk(w, all.rows) : nb::none();
  return nb::make_tuple(shrunk(names, used), shrunk(offsets, 2 * all.rows + 1), weights,
                        describe(all, text));
}

}  // namespace

void bind_parse(nb::module_& m) {
  using namespace nb::literals;
  m.attr("text_padding") = kPadding;
  m.def("parse_edges", &parse_edges, "text"_a, "size"_a, "delimiter"_a, "num_columns"_a,
        "columns"_a, "comments"_a, "base"_a, "limit"_a, "threads"_a);
  m.def("parse_names", &parse_names, "text"_a, "size"_a, "delimiter"_a, "num_columns"_a,
        "columns"_a, "comments"_a);
}

}  // namespace gs
