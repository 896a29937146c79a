// One Gaussian per lane, from its parameters to its ellipse on the screen (EWA splatting, Zwicker
// et al. 2002). The forward and the backward kernel share it, and so agree.
#pragma once
#include "raster.h"
#include "rows.h"
#include "simd.h"
#include "simd_math.h"

namespace recon::ISA {

// A view, as the lanes need it.
struct Optics {
  float pose[3][4];
  float position[3];  // The centre of projection in the world.
  float fx, fy, width, height;
  // The Jacobian is taken inside the image and a margin of 15 % of its size, as in gsplat: far
  // outside, the linear approximation would blow up.
  float tangent_x[2], tangent_y[2];

  explicit Optics(const View &view)
      : fx(static_cast<float>(view.fx)), fy(static_cast<float>(view.fy)),
        width(static_cast<float>(view.width)), height(static_cast<float>(view.height)) {
    std::memcpy(pose, view.world_to_camera, sizeof pose);
    for (int k = 0; k < 3; k++) {
      double sum = 0;
      for (int row = 0; row < 3; row++) sum -= double(pose[row][k]) * pose[row][3];
      position[k] = static_cast<float>(sum);
    }
    const double w = view.width, h = view.height;
    tangent_x[0] = static_cast<float>((-view.cx - 0.15 * w) / view.fx);
    tangent_x[1] = static_cast<float>((w - view.cx + 0.15 * w) / view.fx);
    tangent_y[0] = static_cast<float>((-view.cy - 0.15 * h) / view.fy);
    tangent_y[1] = static_cast<float>((h - view.cy + 0.15 * h) / view.fy);
  }
};

struct GaussianLanes {
  Vf mean[3], quaternion[4], log_scale[3], opacity_logit;

  GaussianLanes(const GaussianArrays<const float> &all, const int32_t *rows) {
    load_rows<3>(all.means, 3, rows, mean);
    load_rows<4>(all.quaternions, 4, rows, quaternion);
    load_rows<3>(all.log_scales, 3, rows, log_scale);
    load_rows<1>(all.opacity_logits, 1, rows, &opacity_logit);
  }
};

struct Projection {
  Vf camera[3], inverse_z;      // The centre in the camera's axes.
  Vf tangent[2], clamped[2];    // x/z and y/z, and where the Jacobian is taken.
  Vf unit[4], inverse_length;   // The normalised quaternion.
  Vf rotation[3][3], scale[3];
  Vf jacobian[2][3];            // Of the screen with respect to the world.
  Vf turned[2][3], axes[2][3];  // jacobian * rotation; times scale: covariance = axes axesᵀ.
  Vf xx, xy, yy, determinant;   // The covariance, dilated and blurred.
  Vf sharp_xx, sharp_yy, sharp_determinant;  // Dilated only.
  Vf defocus, opacity;          // 1/focus - 1/z; the opacity after compensation.
  Vf raw_opacity;
};

RECON_INLINE void rotation_of(const Vf (&q)[4], Vf (&r)[3][3]) {
  const Vf w = q[0], x = q[1], y = q[2], z = q[3];
  r[0][0] = 1.f - 2.f * (y * y + z * z);
  r[0][1] = 2.f * (x * y - w * z);
  r[0][2] = 2.f * (x * z + w * y);
  r[1][0] = 2.f * (x * y + w * z);
  r[1][1] = 1.f - 2.f * (x * x + z * z);
  r[1][2] = 2.f * (y * z - w * x);
  r[2][0] = 2.f * (x * z - w * y);
  r[2][1] = 2.f * (y * z + w * x);
  r[2][2] = 1.f - 2.f * (x * x + y * y);
}

// The centre in the camera's axes and on the screen, in double precision: in float, the centre of
// a small Gaussian far from the origin would be wrong by visible fractions of a pixel.
RECON_INLINE void project_centers(const View &view, const Vf (&mean)[3], Vf (&camera)[3],
                                  double *screen_x, double *screen_y) {
  alignas(64) float m[3][kLanes], c[3][kLanes];
  for (int k = 0; k < 3; k++) store(m[k], mean[k]);
  const float *v = view.world_to_camera;
  for (int i = 0; i < kLanes; i++) {
    const double mx = m[0][i], my = m[1][i], mz = m[2][i];
    const double x = v[0] * mx + v[1] * my + v[2] * mz + v[3];
    const double y = v[4] * mx + v[5] * my + v[6] * mz + v[7];
    const double z = v[8] * mx + v[9] * my + v[10] * mz + v[11];
    c[0][i] = static_cast<float>(x);
    c[1][i] = static_cast<float>(y);
    c[2][i] = static_cast<float>(z);
    const double inverse_z = 1 / z;
    screen_x[i] = view.fx * x * inverse_z + view.cx;
    screen_y[i] = view.fy * y * inverse_z + view.cy;
  }
  for (int k = 0; k < 3; k++) camera[k] = load(c[k]);
}

RECON_INLINE void project_covariance(const GaussianLanes &g, const Optics &o, Projection &p) {
  const Vf *q = g.quaternion;
  p.inverse_length = 1.f / square_root(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  for (int k = 0; k < 4; k++) p.unit[k] = q[k] * p.inverse_length;
  rotation_of(p.unit, p.rotation);
  for (int k = 0; k < 3; k++) p.scale[k] = exponential(g.log_scale[k]);

  p.inverse_z = 1.f / p.camera[2];
  p.tangent[0] = p.camera[0] * p.inverse_z;
  p.tangent[1] = p.camera[1] * p.inverse_z;
  p.clamped[0] = clamp(p.tangent[0], o.tangent_x[0], o.tangent_x[1]);
  p.clamped[1] = clamp(p.tangent[1], o.tangent_y[0], o.tangent_y[1]);
  const float focal[2] = {o.fx, o.fy};
  for (int row = 0; row < 2; row++) {
    const Vf per_unit = focal[row] * p.inverse_z;
    for (int k = 0; k < 3; k++)
      p.jacobian[row][k] = per_unit * (o.pose[row][k] - p.clamped[row] * o.pose[2][k]);
    for (int k = 0; k < 3; k++) {
      p.turned[row][k] = p.jacobian[row][0] * p.rotation[0][k] +
                         p.jacobian[row][1] * p.rotation[1][k] +
                         p.jacobian[row][2] * p.rotation[2][k];
      p.axes[row][k] = p.turned[row][k] * p.scale[k];
    }
  }
}

RECON_INLINE Projection project_lanes(const GaussianLanes &g, const View &view, const Optics &o,
                                      double *screen_x, double *screen_y) {
  Projection p;
  project_centers(view, g.mean, p.camera, screen_x, screen_y);
  project_covariance(g, o, p);
  const Vf *u = p.axes[0], *v = p.axes[1];
  const Vf xx = u[0] * u[0] + u[1] * u[1] + u[2] * u[2];
  const Vf yy = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
  p.xy = u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  // The determinant by way of the cross product of the axes: xx yy - xy² would cancel to nothing
  // for long thin ellipses.
  const Vf c0 = u[1] * v[2] - u[2] * v[1], c1 = u[2] * v[0] - u[0] * v[2];
  const Vf c2 = u[0] * v[1] - u[1] * v[0];
  const Vf area = c0 * c0 + c1 * c1 + c2 * c2;
  p.sharp_xx = xx + kDilation;
  p.sharp_yy = yy + kDilation;
  p.sharp_determinant = area + kDilation * (xx + yy + kDilation);
  p.raw_opacity = 1.f / (1.f + exponential(-g.opacity_logit));
  p.defocus = Vf{};
  p.xx = p.sharp_xx, p.yy = p.sharp_yy, p.determinant = p.sharp_determinant;
  p.opacity = p.raw_opacity;
  if (view.has_lens) {
    p.defocus = view.inverse_focus - p.inverse_z;
    const Vf sigma = 0.25f * view.lens_strength * p.defocus;  // A quarter of the diameter, signed.
    const Vf blur = kDilation + sigma * sigma;
    p.xx = xx + blur;
    p.yy = yy + blur;
    p.determinant = area + blur * (xx + yy + blur);
    p.opacity = p.raw_opacity * square_root(p.sharp_determinant / p.determinant);
  }
  return p;
}

}  // namespace recon::ISA
