# y: -0.010416667 -0.125 1 -1 -0.34375 0.34375 -0.03125 0.125 0.375 -1.5 0.875 -0.125 0.0416666679 0.125 -0.5 0.291666657 0.75 0.5 -0.125 1 -1 -0.5 -0.875 0.5 -0.25 0.0625 0.375 -0.375 -0.0625 0.25 -0.5 -0.1875 0.125 0.4375 -0.3125 -0.625 0.3125 -0.078125 -0.46875 0.46875 0.078125 -0.3125 0.625 0.234375 -0.15625 -0.546875 0.390625 0.75 0.5 -0.125 1 -1 2.23955917 2.375 2.375 2.125 2.23955917 0.848958313 0.140625 0.140625 0.848958313 0.582122982 0.582122982 0.582122982 0.41786024 2.67175436 -0.0729166642 -0.875 0.875 -1 0.125 -0.25 -0.09375 -1.125 -0.875 1.5 -0.375 -0.875 -0.375 -0.291666657 0.5 -0.125 0 0.75 0.875 0.25 -0.625 -1 -0.75 -0 0.3125 -0.4375 -0.125 0.1875 0.5 -0.25 0.0625 0.375 -0.375 -0.0625 0.25 0 -0.390625 0.546875 0.15625 -0.234375 -0.625 0.3125 -0.078125 -0.46875 0.46875 0.078125 -0.3125 0 0.75 0.875 0.25 -1 2.00390244 1.75 2 2.125 2.00390244 0.140625 0.848958313 0.140625 0.140625 0.53764534 0.53764534 0.582122982 0.329318583 2.57517338
class Kernel(Module):
  __parameters__ = ["weight", "bias", "square", "gain", ]
  __buffers__ = ["mean", "variance", ]
  weight : Tensor
  bias : Tensor
  training : bool
  child : __torch__.parts.Child
  width : Final[int] = 12
  def forward(self: __torch__.Kernel,
    x: Tensor) -> Tensor:
    t = torch.view(x, [-1, 3, 4])
    y = [torch.mean(x, [1], True), torch.sum(x, [-1], True), torch.amax(x, [1], True), torch.amin(x, [1], True)]
    y0 = torch.add(y, [torch.mean(t, [2]), torch.sum(t, [1]), torch.unsqueeze(torch.sum(t, [1, 2]), -1), torch.flatten(torch.mean(t, [1], True, dtype=6), 1)])
    y1 = torch.add(y0, [torch.amax(t, [1]), torch.amin(t, [-1], False), torch.mul(x, torch.sum(self.gain)), torch.mul(x, torch.max(self.gain))])
    v, _0 = torch.max(t, 1)
    w, _1 = torch.min(x, 1, True)
    y2 = torch.add(y1, [v, w, torch.norm(x, 2, [1], True), torch.norm(t, 1, [2]), torch.linalg_vector_norm(x, 2., [1], True)])
    y3 = torch.add(y2, [torch.var(t, [1], correction=1), torch.std(t, [2], correction=0), torch.var(x, [1], False, True), torch.logsumexp(x, [1], True)])
    return torch.cat(y3, 1)
