// The splats' moments to the gradients of the Gaussians, the pose and the lens: projection.h in
// reverse, one Gaussian per lane.
#include <algorithm>

#include "colors.h"
#include "projection.h"
#include "threads.h"

namespace recon::ISA {
namespace {

// What all Gaussians share, summed by chunk first, so that the order does not depend on threads.
struct SharedGradients {
  Vf pose[3][4] = {}, position[3] = {}, lens_strength{}, inverse_focus{};
};
constexpr int kShared = sizeof(SharedGradients) / sizeof(Vf);

struct MomentLanes {
  Vf e, e_u, e_y, e_uu, e_uy, e_yy, color[3], depth, unused[2];
};
static_assert(sizeof(MomentLanes) / sizeof(Vf) == sizeof(Moments) / sizeof(float));

// Adds up the slots of the splats, in the order of the tiles; lanes beyond `lanes` are 0.
MomentLanes sum_slots(const Workspace &work, int64_t first, int lanes) {
  constexpr int fields = sizeof(Moments) / sizeof(float);
  alignas(64) float sums[fields][kLanes] = {};
  for (int lane = 0; lane < lanes; lane++) {
    const SlotRange slots = work.slots[first + lane];
    float sum[fields] = {};
    for (uint32_t s = slots.begin; s < slots.end; s++) {
      if (!work.has_moments[s]) continue;
      const float *m = &work.moments[s].e;
      for (int k = 0; k < fields; k++) sum[k] += m[k];
    }
    for (int k = 0; k < fields; k++) sums[k][lane] = sum[k];
  }
  MomentLanes out;
  std::memcpy(static_cast<void *>(&out), sums, sizeof out);
  return out;
}

// A symmetric matrix as its effect on sheared vectors, (x - lean y, y): the shape in which long
// thin ellipses lose no digits.
struct Sheared {
  Vf lean, uu, uy, yy;

  void apply(Vf x, Vf y, Vf &out_x, Vf &out_y) const {
    const Vf u = x - lean * y;
    out_x = uu * u + uy * y;
    out_y = uy * u + yy * y - lean * out_x;
  }
  // vᵀ M v, a sum that hardly cancels.
  Vf form(Vf x, Vf y) const {
    const Vf u = x - lean * y;
    return uu * u * u + 2.f * uy * u * y + yy * y * y;
  }
  Vf trace() const { return uu * (1.f + lean * lean) + yy - 2.f * lean * uy; }
};

// The inverse of a covariance.
RECON_INLINE Sheared inverse(Vf xy, Vf yy, Vf determinant) {
  return {xy / yy, yy / determinant, Vf{}, 1.f / yy};
}

struct ScreenGradients {
  Vf x, y;             // Of the centre,
  Sheared covariance;  // of the covariance, times 2,
  Vf blur;             // of what the lens adds to its diagonal.
  Sheared sharp;       // Where there is a lens, also of the covariance, times 2.
};

RECON_INLINE ScreenGradients differentiate_screen(const MomentLanes &m, const Projection &p,
                                                  bool has_lens) {
  ScreenGradients g;
  const Sheared conic = inverse(p.xy, p.yy, p.determinant);
  g.x = conic.uu * m.e_u;
  g.y = conic.yy * m.e_y - conic.lean * g.x;
  // ln alpha = ln opacity - dᵀ C d / 2, and dC = -C dS C.
  g.covariance = {conic.lean, conic.uu * conic.uu * m.e_uu, conic.uu * conic.yy * m.e_uy,
                  conic.yy * conic.yy * m.e_yy};
  if (has_lens) {
    // ln opacity holds (ln det before - ln det after) / 2.
    g.covariance.uu -= m.e * conic.uu;
    g.covariance.yy -= m.e * conic.yy;
    g.blur = 0.5f * g.covariance.trace();
    g.sharp = inverse(p.xy, p.sharp_yy, p.sharp_determinant);
    g.sharp.uu *= m.e;
    g.sharp.yy *= m.e;
  }
  return g;
}

RECON_INLINE void differentiate_rotation(const Vf (&q)[4], Vf inverse_length, const Vf (&r)[3][3],
                                         Vf *gradient) {
  const Vf w = q[0], x = q[1], y = q[2], z = q[3];
  const Vf u = r[2][1] - r[1][2], v = r[0][2] - r[2][0], t = r[1][0] - r[0][1];
  const Vf xy = r[0][1] + r[1][0], xz = r[0][2] + r[2][0], yz = r[1][2] + r[2][1];
  const Vf unit[4] = {
      2.f * (x * u + y * v + z * t),
      2.f * (w * u + y * xy + z * xz - 2.f * x * (r[1][1] + r[2][2])),
      2.f * (w * v + x * xy + z * yz - 2.f * y * (r[0][0] + r[2][2])),
      2.f * (w * t + x * xz + y * yz - 2.f * z * (r[0][0] + r[1][1]))};
  // Through the normalisation: what points along the quaternion is lost.
  const Vf along = unit[0] * w + unit[1] * x + unit[2] * y + unit[3] * z;
  for (int k = 0; k < 4; k++) gradient[k] = (unit[k] - along * q[k]) * inverse_length;
}

struct LaneGradients {
  Vf mean[3], quaternion[4], log_scale[3], opacity_logit;
};

RECON_INLINE void differentiate_lanes(const GaussianLanes &g, const Projection &p, const View &view,
                                      const Optics &o, const MomentLanes &m,
                                      const ScreenGradients &s, LaneGradients &out,
                                      SharedGradients &shared) {
  out.opacity_logit = m.e * (1.f - p.raw_opacity);

  // covariance = axes axesᵀ, axes = turned * scale, turned = jacobian * rotation.
  Vf d_turned[2][3], d_jacobian[2][3], d_rotation[3][3];
  for (int k = 0; k < 3; k++) {
    const Vf x = p.axes[0][k], y = p.axes[1][k];
    Vf dx, dy;
    s.covariance.apply(x, y, dx, dy);
    out.log_scale[k] = s.covariance.form(x, y);
    if (view.has_lens) {
      Vf sharp_dx, sharp_dy;
      s.sharp.apply(x, y, sharp_dx, sharp_dy);
      dx += sharp_dx;
      dy += sharp_dy;
      out.log_scale[k] += s.sharp.form(x, y);
    }
    d_turned[0][k] = dx * p.scale[k];
    d_turned[1][k] = dy * p.scale[k];
  }
  for (int row = 0; row < 2; row++)
    for (int k = 0; k < 3; k++)
      d_jacobian[row][k] = d_turned[row][0] * p.rotation[k][0] +
                           d_turned[row][1] * p.rotation[k][1] +
                           d_turned[row][2] * p.rotation[k][2];
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 3; k++)
      d_rotation[i][k] = p.jacobian[0][i] * d_turned[0][k] + p.jacobian[1][i] * d_turned[1][k];
  differentiate_rotation(p.unit, p.inverse_length, d_rotation, out.quaternion);

  // jacobian[row] = focal / z * (pose[row] - clamped * pose[2]); screen = focal * tangent + centre.
  const Vf d_screen[2] = {s.x, s.y};
  const float focal[2] = {o.fx, o.fy};
  const float *limits[2] = {o.tangent_x, o.tangent_y};
  Vf d_camera[3] = {Vf{}, Vf{}, m.depth};
  for (int row = 0; row < 2; row++) {
    const Vf per_unit = focal[row] * p.inverse_z;
    Vf d_clamped = {}, stretch = {};
    for (int k = 0; k < 3; k++) {
      const Vf d = per_unit * d_jacobian[row][k];
      shared.pose[row][k] += d;
      shared.pose[2][k] -= d * p.clamped[row];
      d_clamped -= d * o.pose[2][k];
      stretch += d_jacobian[row][k] * p.jacobian[row][k];
    }
    const Mask within = at_least(p.tangent[row], broadcast(limits[row][0])) &
                        at_least(broadcast(limits[row][1]), p.tangent[row]);
    const Vf d_tangent = focal[row] * d_screen[row] + keep(within, d_clamped);
    d_camera[row] = d_tangent * p.inverse_z;
    d_camera[2] -= (d_tangent * p.tangent[row] + stretch) * p.inverse_z;
  }
  if (view.has_lens) {
    // blur = (K u / 4)², u = 1/focus - 1/z.
    const float k = view.lens_strength;
    const Vf d_u = s.blur * (0.125f * k * k) * p.defocus;
    shared.lens_strength += s.blur * (0.125f * k) * p.defocus * p.defocus;
    shared.inverse_focus += d_u;
    d_camera[2] += d_u * p.inverse_z * p.inverse_z;
  }
  for (int k = 0; k < 3; k++) {
    out.mean[k] = o.pose[0][k] * d_camera[0] + o.pose[1][k] * d_camera[1] +
                  o.pose[2][k] * d_camera[2];
    for (int row = 0; row < 3; row++) shared.pose[row][k] += d_camera[row] * g.mean[k];
  }
  for (int row = 0; row < 3; row++) shared.pose[row][3] += d_camera[row];
}

void clear_rows(const GaussianArrays<float> &g, float *offsets, int64_t begin, int64_t end) {
  const auto clear = [&](float *rows, int64_t width) {
    if (rows) std::fill(rows + begin * width, rows + end * width, 0.f);
  };
  clear(g.means, 3);
  clear(g.quaternions, 4);
  clear(g.log_scales, 3);
  clear(g.opacity_logits, 1);
  clear(g.sh_base, 3);
  clear(g.sh_rest, 3 * kRestCoefficients);
  clear(offsets, 2);
}

template <int degree>
void differentiate_chunk(int64_t chunk, const GaussianArrays<const float> &gaussians,
                         const GaussianArrays<float> &gradients, float *offsets, const Optics &o,
                         const Workspace &work) {
  const int64_t base = chunk * kChunk;
  clear_rows(gradients, offsets, base, std::min(gaussians.count, base + kChunk));
  SharedGradients shared;
  const int count = work.chunk_sizes[chunk];
  for (int begin = 0; begin < count; begin += kLanes) {
    const int lanes = std::min(kLanes, count - begin);
    const Splat *splats = &work.splats[base + begin];
    int32_t rows[kLanes];
    alignas(64) float colors[3][kLanes];
    for (int i = 0; i < kLanes; i++) {
      const Splat &s = splats[std::min(i, lanes - 1)];
      rows[i] = s.gaussian;
      colors[0][i] = s.red, colors[1][i] = s.green, colors[2][i] = s.blue;
    }
    const MomentLanes m = sum_slots(work, base + begin, lanes);
    const GaussianLanes g(gaussians, rows);
    double unused[2][kLanes];
    const Projection p = project_lanes(g, work.view, o, unused[0], unused[1]);
    const ScreenGradients s = differentiate_screen(m, p, work.view.has_lens);
    LaneGradients out;
    differentiate_lanes(g, p, work.view, o, m, s, out, shared);
    Vf offset[3], d_offset[3], d_color[3];
    for (int k = 0; k < 3; k++) {
      offset[k] = g.mean[k] - o.position[k];
      d_color[k] = keep(greater(load(colors[k]), Vf{}), m.color[k]);
    }
    differentiate_shade<degree>(gaussians, gradients, rows, lanes, offset, d_color, d_offset);
    for (int k = 0; k < 3; k++) {
      out.mean[k] += d_offset[k];
      shared.position[k] -= d_offset[k];
    }
    if (gradients.means) store_rows<3>(gradients.means, 3, rows, lanes, out.mean);
    if (gradients.quaternions) store_rows<4>(gradients.quaternions, 4, rows, lanes, out.quaternion);
    if (gradients.log_scales) store_rows<3>(gradients.log_scales, 3, rows, lanes, out.log_scale);
    if (gradients.opacity_logits)
      store_rows<1>(gradients.opacity_logits, 1, rows, lanes, &out.opacity_logit);
    const Vf center[2] = {s.x, s.y};
    if (offsets) store_rows<2>(offsets, 2, rows, lanes, center);
  }
  Vf sums[kShared];
  std::memcpy(static_cast<void *>(sums), &shared, sizeof sums);
  for (int k = 0; k < kShared; k++) work.chunk_sums[chunk * kShared + k] = sum_lanes(sums[k]);
}

// Adds up the chunks, and takes the gradient of the camera's position, -Rᵀ t, to the pose.
ViewGradients sum_chunks(const Workspace &work, int64_t chunks) {
  double sums[kShared] = {};
  for (int64_t c = 0; c < chunks; c++)
    for (int k = 0; k < kShared; k++) sums[k] += work.chunk_sums[c * kShared + k];
  const double *position = sums + 12;
  const float *pose = work.view.world_to_camera;
  ViewGradients out = {};
  for (int row = 0; row < 3; row++) {
    double translation = sums[4 * row + 3];
    for (int k = 0; k < 3; k++) {
      out.world_to_camera[4 * row + k] =
          static_cast<float>(sums[4 * row + k] - double(pose[4 * row + 3]) * position[k]);
      translation -= double(pose[4 * row + k]) * position[k];
    }
    out.world_to_camera[4 * row + 3] = static_cast<float>(translation);
  }
  out.lens_strength = static_cast<float>(sums[15]);
  out.inverse_focus = static_cast<float>(sums[16]);
  return out;
}

}  // namespace

void differentiate_projection(const GaussianArrays<const float> &gaussians,
                              const GaussianArrays<float> &gradients, float *offsets,
                              ViewGradients &view_gradients, Workspace &work) {
  const int64_t chunks = work.chunks();
  const Optics optics(work.view);
  work.chunk_sums.reserve(chunks * kShared);
  const int degree = work.view.sh_degree;
  const auto differentiate = degree == 0   ? differentiate_chunk<0>
                             : degree == 1 ? differentiate_chunk<1>
                             : degree == 2 ? differentiate_chunk<2>
                                           : differentiate_chunk<3>;
#pragma omp parallel for schedule(dynamic, 8) num_threads(thread_count())
  for (int64_t chunk = 0; chunk < chunks; chunk++)
    differentiate(chunk, gaussians, gradients, offsets, optics, work);
  view_gradients = sum_chunks(work, chunks);
}

}  // namespace recon::ISA
