// Reductions over groups of rows (the members of a hyperedge, the hyperedges of a node) and the
// two halves of an induced set attention (J. Lee et al., ICML 2019).  Every row is in one group.
//
// A Team runs one group: `each(n, f)` calls f(0..n-1) once each, `dot` is a sum all members see,
// `sync` orders what the members wrote: `each` over a row and `add_scaled` to one of its heads may
// give a column to different members.  On the CPU a team is one thread, on the GPU one warp.
#pragma once
#include "core/hd.hpp"

namespace gs {

struct Segments {
  const int64_t* ptr;   // (groups + 1,)
  const int64_t* rows;  // (n,): row ids, group by group
};

// Rows of a wider matrix: row r is data[r * stride], data[r * stride + 1], ...
template <class T>
struct Rows {
  T* data;
  int64_t stride;
  GS_HD T* operator[](int64_t row) const { return data + row * stride; }
};

template <class T>
GS_HD T positive(T x) {
  return x > T(0) ? x : T(0);
}

// out (groups, dim): mean of x, or of relu(x), over each group; 0 for an empty one.
template <bool Relu, class T, class Team>
GS_HD void mean_forward(Team team, Segments s, int64_t g, Rows<const T> x, int64_t dim, T* out) {
  const int64_t first = s.ptr[g], last = s.ptr[g + 1];
  const T scale = last > first ? T(1) / static_cast<T>(last - first) : T(0);
  T* mean = out + g * dim;
  team.each(dim, [=](int64_t c) { mean[c] = T(0); });
  for (int64_t i = first; i < last; ++i) {
    const T* row = x[s.rows[i]];
    team.each(dim, [=](int64_t c) { mean[c] += Relu ? positive(row[c]) : row[c]; });
  }
  team.each(dim, [=](int64_t c) { mean[c] *= scale; });
}

template <bool Relu, class T, class Team>
GS_HD void mean_backward(Team team, Segments s, int64_t g, Rows<const T> x, int64_t dim,
                         const T* grad, Rows<T> grad_x) {
  const int64_t first = s.ptr[g], last = s.ptr[g + 1];
  const T scale = last > first ? T(1) / static_cast<T>(last - first) : T(0);
  const T* d = grad + g * dim;
  for (int64_t i = first; i < last; ++i) {
    const T* row = Relu ? x[s.rows[i]] : nullptr;
    T* to = grad_x[s.rows[i]];
    team.each(dim, [=](int64_t c) { to[c] = !Relu || row[c] > T(0) ? scale * d[c] : T(0); });
  }
}

// out (groups, dim): largest entry; which (groups, dim): the first row that has it, -1 if empty.
template <class T, class Team>
GS_HD void max_forward(Team team, Segments s, int64_t g, Rows<const T> x, int64_t dim, T* out,
                       int64_t* which) {
  const int64_t first = s.ptr[g], last = s.ptr[g + 1];
  team.each(dim, [=](int64_t c) {
    T top = T(0);
    int64_t at = -1;
    for (int64_t i = first; i < last; ++i) {
      const T value = x[s.rows[i]][c];
      if (at < 0 || value > top) {
        top = value;
        at = s.rows[i];
      }
    }
    out[g * dim + c] = top;
    which[g * dim + c] = at;
  });
}

template <class T, class Team>
GS_HD void max_backward(Team team, Segments s, int64_t g, int64_t dim, const T* grad,
                        const int64_t* which, Rows<T> grad_x) {
  for (int64_t i = s.ptr[g]; i < s.ptr[g + 1]; ++i) {
    const int64_t row = s.rows[i];
    team.each(dim, [=](int64_t c) {
      grad_x[row][c] = which[g * dim + c] == row ? grad[g * dim + c] : T(0);
    });
  }
}

// out (n, dim): relu(x + group[g]).
template <class T, class Team>
GS_HD void add_relu_forward(Team team, Segments s, int64_t g, Rows<const T> x, int64_t dim,
                            const T* group, Rows<T> out) {
  const T* add = group + g * dim;
  for (int64_t i = s.ptr[g]; i < s.ptr[g + 1]; ++i) {
    const T* row = x[s.rows[i]];
    T* to = out[s.rows[i]];
    team.each(dim, [=](int64_t c) { to[c] = positive(row[c] + add[c]); });
  }
}

template <class T, class Team>
GS_HD void add_relu_backward(Team team, Segments s, int64_t g, Rows<const T> out, int64_t dim,
                             Rows<const T> grad, Rows<T> grad_x, T* grad_group) {
  T* sum = grad_group + g * dim;
  team.each(dim, [=](int64_t c) { sum[c] = T(0); });
  for (int64_t i = s.ptr[g]; i < s.ptr[g + 1]; ++i) {
    const int64_t row = s.rows[i];
    const T *value = out[row], *d = grad[row];
    T* to = grad_x[row];
    team.each(dim, [=](int64_t c) {
      const T kept = value[c] > T(0) ? d[c] : T(0);
      to[c] = kept;
      sum[c] += kept;
    });
  }
}

// Sizes of an attention with `points` seeds (or induced rows) and `heads` heads of `width`.
struct Induced {
  int64_t points, heads, width;
  GS_HD int64_t weights() const { return points * heads; }
  GS_HD int64_t dim() const { return heads * width; }
};

// Softmax over the members of a group of each column of `logits` (n, points * heads), then
// pooled (groups, points, heads * width): `start` (points, heads * width), null for zeros, plus
// weighted sums of `values` (n, heads * width).
template <class T, class Team, class Exp>
GS_HD void pool_forward(Team team, Segments s, int64_t g, Induced a, Rows<const T> logits,
                        Rows<const T> values, const T* start, T* att, T* pooled, Exp exponential) {
  const int64_t first = s.ptr[g], last = s.ptr[g + 1], k = a.weights();
  T* out = pooled + g * a.points * a.dim();
  team.each(a.points * a.dim(), [=](int64_t c) { out[c] = start ? start[c] : T(0); });
  if (first == last) return;
  team.each(k, [=](int64_t w) {
    T top = logits[s.rows[first]][w], sum = T(0);
    for (int64_t i = first + 1; i < last; ++i) {
      const T x = logits[s.rows[i]][w];
      if (x > top) top = x;
    }
    for (int64_t i = first; i < last; ++i) {
      T& p = att[s.rows[i] * k + w];
      p = exponential(logits[s.rows[i]][w] - top);
      sum += p;
    }
    for (int64_t i = first; i < last; ++i) att[s.rows[i] * k + w] /= sum;
  });
  team.sync();
  for (int64_t i = first; i < last; ++i) {
    const T *value = values[s.rows[i]], *p = att + s.rows[i] * k;
    for (int64_t j = 0; j < a.points; ++j)
      for (int64_t h = 0; h < a.heads; ++h)
        team.add_scaled(out + j * a.dim() + h * a.width, p[j * a.heads + h], value + h * a.width,
                        a.width);
  }
}

template <class T, class Team>
GS_HD void pool_backward(Team team, Segments s, int64_t g, Induced a, Rows<const T> values,
                         const T* att, const T* grad, Rows<T> grad_logits, Rows<T> grad_values) {
  const int64_t first = s.ptr[g], last = s.ptr[g + 1], k = a.weights();
  const T* d = grad + g * a.points * a.dim();
  for (int64_t i = first; i < last; ++i) {
    const int64_t row = s.rows[i];
    const T* p = att + row * k;
    team.each(a.dim(), [=](int64_t c) { grad_values[row][c] = T(0); });
    team.sync();
    for (int64_t j = 0; j < a.points; ++j)
      for (int64_t h = 0; h < a.heads; ++h) {
        const T* dj = d + j * a.dim() + h * a.width;
        const T dp = team.dot(dj, values[row] + h * a.width, a.width);
        if (team.leads()) grad_logits[row][j * a.heads + h] = dp;
        team.add_scaled(grad_values[row] + h * a.width, p[j * a.heads + h], dj, a.width);
      }
  }
  team.sync();
  team.each(k, [=](int64_t w) {
    T mean = T(0);
    for (int64_t i = first; i < last; ++i)
      mean += att[s.rows[i] * k + w] * grad_logits[s.rows[i]][w];
    for (int64_t i = first; i < last; ++i) {
      T& x = grad_logits[s.rows[i]][w];
      x = att[s.rows[i] * k + w] * (x - mean);
    }
  });
}

// Each row attends to the `points` rows that belong to its group: out = q + softmax(q k' scale) v
// per head.  keys, values (groups, points, heads * width); att (n, points * heads).
template <class T, class Team, class Exp>
GS_HD void read_forward(Team team, Segments s, int64_t g, Induced a, T scale, Rows<const T> q,
                        Rows<const T> keys, Rows<const T> values, T* att, Rows<T> out,
                        Exp exponential) {
  const int64_t m = a.points;
  for (int64_t i = s.ptr[g]; i < s.ptr[g + 1]; ++i) {
    const int64_t row = s.rows[i];
    T* p = att + row * a.weights();
    for (int64_t j = 0; j < m; ++j)
      for (int64_t h = 0; h < a.heads; ++h) {
        const T x = scale * team.dot(q[row] + h * a.width, keys[g * m + j] + h * a.width, a.width);
        if (team.leads()) p[j * a.heads + h] = x;
      }
    team.sync();
    team.each(a.heads, [=](int64_t h) {
      T top = p[h], sum = T(0);
      for (int64_t j = 1; j < m; ++j)
        if (p[j * a.heads + h] > top) top = p[j * a.heads + h];
      for (int64_t j = 0; j < m; ++j) {
        p[j * a.heads + h] = exponential(p[j * a.heads + h] - top);
        sum += p[j * a.heads + h];
      }
      for (int64_t j = 0; j < m; ++j) p[j * a.heads + h] /= sum;
    });
    team.sync();
    const T* from = q[row];
    T* to = out[row];
    team.each(a.dim(), [=](int64_t c) { to[c] = from[c]; });
    team.sync();
    for (int64_t j = 0; j < m; ++j)
      for (int64_t h = 0; h < a.heads; ++h)
        team.add_scaled(to + h * a.width, p[j * a.heads + h], values[g * m + j] + h * a.width,
                        a.width);
  }
}

// `share` (points * heads) is scratch of the team.
template <class T, class Team>
GS_HD void read_backward(Team team, Segments s, int64_t g, Induced a, T scale, Rows<const T> q,
                         Rows<const T> keys, Rows<const T> values, const T* att, Rows<const T> grad,
                         Rows<T> grad_q, Rows<T> grad_keys, Rows<T> grad_values, T* share) {
  const int64_t m = a.points;
  for (int64_t j = 0; j < m; ++j) {
    T *dk = grad_keys[g * m + j], *dv = grad_values[g * m + j];
    team.each(a.dim(), [=](int64_t c) { dk[c] = dv[c] = T(0); });
  }
  team.sync();
  for (int64_t i = s.ptr[g]; i < s.ptr[g + 1]; ++i) {
    const int64_t row = s.rows[i];
    const T *p = att + row * a.weights(), *d = grad[row];
    for (int64_t j = 0; j < m; ++j)
      for (int64_t h = 0; h < a.heads; ++h) {
        const T dp = team.dot(d + h * a.width, values[g * m + j] + h * a.width, a.width);
        if (team.leads()) share[j * a.heads + h] = dp;
        team.add_scaled(grad_values[g * m + j] + h * a.width, p[j * a.heads + h], d + h * a.width,
                        a.width);
      }
    team.sync();
    team.each(a.heads, [=](int64_t h) {
      T mean = T(0);
      for (int64_t j = 0; j < m; ++j) mean += p[j * a.heads + h] * share[j * a.heads + h];
      for (int64_t j = 0; j < m; ++j)
        share[j * a.heads + h] = scale * p[j * a.heads + h] * (share[j * a.heads + h] - mean);
    });
    team.sync();
    T* to = grad_q[row];
    team.each(a.dim(), [=](int64_t c) { to[c] = d[c]; });
    team.sync();
    for (int64_t j = 0; j < m; ++j)
      for (int64_t h = 0; h < a.heads; ++h) {
        const T x = share[j * a.heads + h];
        team.add_scaled(to + h * a.width, x, keys[g * m + j] + h * a.width, a.width);
        team.add_scaled(grad_keys[g * m + j] + h * a.width, x, q[row] + h * a.width, a.width);
      }
    team.sync();
  }
}

}  // namespace gs
