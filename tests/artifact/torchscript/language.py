# y: 4.96417236 0 -5.18786907 2.80044627 -2.36307263 5.81371307 0.567394912 -4.7487011 3.51351929 -1.72095215 6.11593103 1.17835593 -2.1529448 -2.89208269 -3.40030861 -2.4448626 -3.15839696 -2.23713565 -2.73082876 -3.42227769 -2.50788736 -3.01162672 -2.04970002 -2.77556849 3 -1.5 0.375 2.25 -2.25 -0.375 1.5 -3 -1.125 0.75 2.625 -1.875 -12 6 -1.5 -9 9 1.5 -6 12 4.5 -3 -10.5 7.5 5.21098471 0 -5.33011484 2.91781473 -2.28257895 5.51574707 0.587454319 -4.61143875 3.36053586 -1.77230442 6.39508438 1.13478982 -2.28795338 -2.77603865 -3.47811818 -2.56042528 -3.05932808 -2.0904448 -2.82958269 -3.33780861 -2.3823626 -3.09589696 -2.17463565 -2.66832876 -0 1.875 -2.625 -0.75 1.125 3 -1.5 0.375 2.25 -2.25 -0.375 1.5 0 -7.5 10.5 3 -4.5 -12 6 -1.5 -9 9 1.5 -6
class Kernel(Module):
  __parameters__ = ["weight", "bias", "square", "gain", ]
  __buffers__ = ["mean", "variance", ]
  weight : Tensor
  bias : Tensor
  training : bool
  child : __torch__.parts.Child
  width : Final[int] = 12
  def forward(self: __torch__.Kernel,
    x: Tensor,
    scale: Optional[float]=None,
    flag: bool=True) -> Tensor:
    _0 = __torch__.twice
    if torch.__is__(scale, None):
      scale0 = 0.25
    else:
      scale0 = unchecked_cast(float, scale)
    if flag:
      y = torch.mul(x, scale0)
    else:
      ops.prim.RaiseException(torch.format("never {}", scale0), "builtins.ValueError")
      y = uninitialized(Tensor)
    if torch.ne(torch.dim(x), 2):
      ops.prim.RaiseException("expected two dimensions")
    else:
      pass
    z = y
    for i in range(torch.__range_length(1, 6, 2)):
      j = torch.__derive_index(i, 1, 2)
      if torch.eq(torch.remainder(j, 3), 0):
        z0 = _0(z, __torch__.twice(y, ), 0.5)
      else:
        z0 = torch.add(z, (self).shifted(y, float(j), ))
      z = z0
    sizes = torch.slice(torch.size(x), 1)
    n = sizes[0]
    first, second, = self.sizes
    own = torch.list(self.sizes)
    _1 = torch.append(own, torch.mul(first, second))
    if torch.__contains__(own, n):
      w = (self.child).forward(z, limit=3., )
    else:
      w = z
    a, b = w, getattr(self, "child")
    u, v, = (b).both(a, )
    big = torch.gt(torch.numel(x), 0)
    same = torch.__not__(torch.__isnot__(u, u))
    ratio = torch.div(torch.sub(int(7.9000000000000004), torch.floordiv(n, 5)), 4)
    if bool(torch.__and__(big, same)):
      r = torch.mul(u, torch.add(ratio, torch.pow(4, 0.5)))
    else:
      r = u
    pair = (r, torch.neg(v), "unused")
    torch.warn("for nobody", 2)
    return torch.cat([pair[0], pair[-2], torch.mul(x, torch.neg(torch.abs(-3))), torch.mul(x, self.width)], 1)
  def shifted(self: __torch__.Kernel,
    x: Tensor,
    by: float) -> Tensor:
    return torch.add(x, by)
def twice(x: Tensor,
    y: Optional[Tensor]=None,
    factor: float=2.) -> Tensor:
  if torch.__isnot__(y, None):
    z = unchecked_cast(Tensor, y)
  else:
    z = x
  return torch.mul(torch.add(x, z), factor)
