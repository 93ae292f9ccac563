/* TorchScript's code: what is refused, with which reason, and where. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/artifact/script_archive.h"

#define HEAD   "class Kernel(Module):\n  def forward(self: __torch__.Kernel,\n    x: Tensor) -> Tensor:\n"
#define BEFORE "code/__torch__.py:"

static void expect_refusal(const char *code, size_t size, const char *reason, const char *part)
{
    kas_artifact artifact;
    kas_status status = script_decode(code, size, NULL, &artifact);
    cr_assert_not_null(status, "loads, and must be refused (%s): %s", part, code);
    const char *message = kas_status_message(status);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARTIFACT, "%s", message);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", message);
    cr_expect_not_null(strstr(message, part), "\"%s\" is not in: %s", part, message);
    cr_expect_null(artifact.graph, "%s", message);
    kas_status_free(status);
}

typedef struct refusal {
    const char *body; /* of forward: line 4 and on */
    const char *reason, *part;
} refusal;

static void expect_refusals(const refusal *refusals, size_t count)
{
    char code[1024];
    for (size_t i = 0; i < count; ++i) {
        const int size = snprintf(code, sizeof code, HEAD "%s", refusals[i].body);
        cr_assert_lt((size_t)size, sizeof code);
        expect_refusal(code, (size_t)size, refusals[i].reason, refusals[i].part);
    }
}
#define EXPECT_REFUSALS(refusals) expect_refusals((refusals), sizeof(refusals) / sizeof *(refusals))

Test(torchscript_refusals, names_what_it_does_not_know)
{
    static const refusal refusals[] = {
        {"    return torch.fft_fft(x)\n", "unsupported_operator", BEFORE "4: the call of \"torch.fft_fft\""},
        {"    y = torch.relu(x)\n    return torch.save(y, \"f\")\n", "unsupported_operator",
         BEFORE "5: the call of \"torch.save\""},
        {"    return ops.evil.run(x, \"rm\")\n", "unsupported_operator", "\"ops.evil.run\""},
        {"    return torch.relu__(x)\n", "unsupported_operator", "\"torch.relu__\""},
        {"    return eval(x)\n", "unsupported_operator", "\"eval\""},
        {"    return torch.relu(nowhere)\n", "malformed", "\"nowhere\" is undefined"},
        {"    return torch.relu(self.secret)\n", "malformed", "no attribute \"secret\""},
        {"    return torch.relu(getattr(self, \"0\"))\n", "malformed", "no attribute \"0\""},
        {"    return (self).backward(x)\n", "malformed", "no method \"backward\""},
        {"    return __torch__.other(x)\n", "malformed",
         "the function __torch__.other is not in code/__torch__.py"},
        {"    return __torch__.no.where(x)\n", "malformed", "the record code/__torch__/no.py is missing"},
        {"    return torch.add(x, CONSTANTS.c2)\n", "malformed", "CONSTANTS.c2 is out of range: there are 2"},
        {"    return torch.add(x, CONSTANTS.x)\n", "malformed", "CONSTANTS.x names no constant"},
        {"    return torch.gelu(x, exact=True)\n", "unsupported", "\"exact\" is not supported"},
        {"    return torch.linear(x)\n", "malformed", "\"weight\" is missing"},
        {"    return torch.linear(x, input=x)\n", "malformed", "\"input\" is given twice"},
        {"    return torch.relu(x, x)\n", "unsupported", "up to 1 are supported"},
        {"    return torch.remainder(x, 4)\n", "unsupported", "no known integers"},
        {"    return torch.floordiv(x, 4)\n", "unsupported", "of a tensor and an int"},
        {"    return torch.relu([x])\n", "unsupported", "the argument \"self\" is a list, not a tensor"},
        {"    return (self.child).forward(x, limit=1., most=2.)\n", "malformed", "no parameter \"most\""},
        {"    return (self.child).forward(x, 1., 2.)\n", "malformed", "4 arguments for 3 parameters"},
        {"    return (self.child).forward()\n", "malformed", "\"x\" is not given"},
        {"    return {\"a\": x}\n", "unsupported", "a dict"},
        {"    y = (self.child).never(x, )\n    return x\n", "unsupported",
         "code/__torch__/parts.py:19: \"while\" is not supported"},
    };
    EXPECT_REFUSALS(refusals);
}

Test(torchscript_refusals, keeps_rows_apart)
{
    static const refusal refusals[] = {
        {"    return torch.sub(x, torch.mean(x, [0], True))\n", "mixes_rows",
         "axis 0, which holds the batch"},
        {"    return torch.div(x, torch.sum(x))\n", "mixes_rows", "torch.sum"},
        {"    return torch.softmax(torch.linear(x, self.weight), 0)\n", "mixes_rows", "axis 0"},
        {"    return torch.matmul(torch.t(x), x)\n", "mixes_rows", "sums over the batch"},
        {"    return torch.linear(torch.view(x, [-1, 24]), self.weight)\n", "shape",
         BEFORE "4: torch.linear"},
        {"    return torch.select(torch.linear(x, self.weight), 0, 0)\n", "mixes_rows", "axis 0"},
        {"    return torch.slice(torch.linear(x, self.weight), 0, 1)\n", "mixes_rows", "holds the batch"},
        {"    return torch.mul(torch.linear(x, self.weight), torch.size(x, 0))\n", "mixes_rows",
         "depends on the size of the batch"},
        {"    if torch.gt(torch.size(x, 0), 1):\n      y = x\n    else:\n      y = x\n    return y\n",
         "mixes_rows", BEFORE "4: the condition of an \"if\""},
        {"    if torch.gt(torch.sum(x, [1]), 0):\n      y = x\n    else:\n      y = x\n    return y\n",
         "unsupported", "depends on the data"},
        {"    for i in range(torch.size(x, 0)):\n      pass\n    return x\n", "mixes_rows", "turns"},
        {"    return torch.flatten(torch.linear(x, self.weight), 0)\n", "mixes_rows", "output"},
        {"    return torch.batch_norm(x, None, None, None, None, False, 0.1, 0.001, True)\n", "mixes_rows",
         "statistics"},
        {"    return torch.cat([torch.linear(x, self.weight), self.weight], 0)\n", "mixes_rows", "batch"},
        {"    return torch.view(torch.linear(x, self.weight), [3, 1])\n", "mixes_rows",
         "fixes the size of the batch"},
    };
    EXPECT_REFUSALS(refusals);
}

Test(torchscript_refusals, refuses_what_is_no_kernel)
{
    static const refusal refusals[] = {
        {"    return (x, x)\n", "unsupported", "forward returns a tuple"},
        {"    return 1\n", "unsupported", "forward returns an int"},
        {"    pass\n", "unsupported", "forward returns None"},
        {"    y = torch.linear(x, self.weight)\n    return self.bias\n", "unsupported",
         "does not depend on the input"},
        {"    return torch.relu(x)\n", "shape", "no call in the code shows how wide the input is"},
        {"    return torch.dropout(torch.linear(x, self.weight), 0.5, True)\n", "unsupported", "training"},
        {"    return torch.batch_norm(x, None, None, self.mean, self.variance, True, 0.1, 0.001, True)\n",
         "unsupported", "training"},
        {"    return torch.batch_norm(x, None, None, self.mean, self.mean, False, 0.1, 0.001, True)\n",
         "statistics", "the variance of channel 2 is -0.5"},
        {"    return torch.layer_norm(x, [12], None, None, -1.)\n", "statistics", "eps is -1"},
        {"    ops.prim.RaiseException(torch.format(\"bad {}\", 1), \"E\")\n    return x\n", "unsupported",
         "raises an exception here for any input: bad {}"},
        {"    y = uninitialized(Tensor)\n    return torch.relu(y)\n", "unsupported", "uninitialized"},
    };
    EXPECT_REFUSALS(refusals);
}

Test(torchscript_refusals, changes_nothing_that_is_shared)
{
    static const refusal refusals[] = {
        {"    y = torch.linear(x, self.weight)\n    z = torch.view(y, [-1, 3, 1])\n    w = torch.relu_(z)\n  "
         "  return y\n",
         "unsupported", BEFORE "6: torch.relu_: it changes in place what other tensors may share"},
        {"    y = torch.linear(x, self.weight)\n    z = torch.t(y)\n    w = torch.relu_(y)\n    return y\n",
         "unsupported", "torch.relu_"},
        {"    y = torch.add_(self.bias, 1)\n    return torch.linear(x, self.weight, self.bias)\n",
         "unsupported", "torch.add_"},
        {"    a, b, = torch.chunk(torch.mul(x, self.gain), 2, 1)\n    c = torch.mul_(a, 2)\n    return b\n",
         "unsupported", "torch.mul_"},
        {"    y = torch.view_(x, [-1, 12])\n    return y\n", "unsupported", "in place it is not supported"},
        {"    _0 = torch.append(self.sizes, 5)\n    return x\n", "unsupported", "a list of the module's own"},
        {"    self.gain = x\n    return x\n", "unsupported",
         BEFORE "4: \"assignment to an attribute or an element\""},
    };
    EXPECT_REFUSALS(refusals);
}

Test(torchscript_refusals, is_bounded)
{
    static const refusal refusals[] = {
        {"    return (self).forward(x, )\n", "limit",
         BEFORE "4: calls are nested deeper than the limit of 32"},
        {"    for i in range(1000000000000):\n      pass\n    return x\n", "limit",
         "a loop of 1000000000000 turns"},
        {"    for i in range(4000):\n      for j in range(4000):\n        y = 1\n    return x\n", "limit",
         "steps"},
        {"    y = torch.mul(x, self.gain)\n    for i in range(4000):\n      y = torch.add(torch.relu(y), "
         "1)\n    return y\n",
         "limit", "nodes"},
        {"    return torch.linear(x, torch.expand(self.gain, [60000000, 12]))\n", "limit", "torch.expand"},
        {"    z = torch.expand(self.gain, [100000, 12])\n    for i in range(4000):\n      w = torch.sum(z)\n "
         "   return x\n",
         "limit", "folding constants takes"},
        {"    y = [0]\n    for i in range(30):\n      y = torch.add(y, y)\n    return x\n", "limit", "steps"},
        {"    return torch.view(x, [9999999999999999999])\n", "limit", "out of range"},
        {"    return torch.mul(x, 1e999)\n", "limit", "out of range"},
        {"    return torch.view(x, [9223372036854775807, 9223372036854775807])\n", "limit", "torch.view"},
        {"    return torch.mul(x, torch.mul(9223372036854775807, 9223372036854775807))\n", "unsupported",
         "overflows"},
    };
    EXPECT_REFUSALS(refusals);
}

Test(torchscript_refusals, says_where_the_syntax_ends)
{
    static const refusal refusals[] = {
        {"    return (((torch.relu(x,\n", "malformed", BEFORE "5: expected an expression, found"},
        {"    y = \"never ends\n    return x\n", "malformed", BEFORE "4: a string has no closing quote"},
        {"    y = \"\\q\"\n    return x\n", "malformed", "an escape"},
        {"    return x +\n", "malformed", BEFORE "4: unexpected character '+'"},
        {"    y = 1x\n    return x\n", "malformed", "unexpected character 'x'"},
        {"    y = 1.2.3\n    return x\n", "malformed", "\"1.2.3\" is no number"},
        {"    y = -x\n    return x\n", "malformed", "a number after \"-\""},
        {"      y = 1\n    return x\n", "malformed",
         BEFORE "5: the indentation of 4 columns is that of no block"},
        {"    y = lambda\n    return x\n", "malformed", "expected a name, found \"lambda\""},
        {"    if True:\n    return x\n", "malformed", BEFORE "5: expected an indented block"},
        {"    for i, j in x:\n      pass\n    return x\n", "malformed", "one name before \"in\""},
        {"    1 = x\n    return x\n", "malformed", "names before \"=\""},
        {"    x, y\n    return x\n", "malformed", "expected \"=\""},
        {"    y = torch.add(a.b=1)\n    return x\n", "malformed", "the end of the arguments"},
        {"    a, b = [1]\n    return x\n", "malformed", "1 values cannot be assigned to 2 names"},
        {"    a, b = 1\n    return x\n", "malformed", "an int cannot be taken apart"},
        {"    return x[0]\n", "unsupported", "an index into a tensor"},
        {"    return [x][1]\n", "malformed", "the index 1 is out of range of 1 items"},
        {"    return x.shape\n", "unsupported", "the attribute \"shape\" of a tensor"},
        {"    return x()\n", "malformed", "a tensor is called"},
        {"    return x.relu()\n", "unsupported", "the method \"relu\" of a tensor"},
    };
    EXPECT_REFUSALS(refusals);
}

/* `before`, `unit` as often as said, `after`. */
static void expect_limit(const char *before, const char *unit, size_t times, const char *after,
                         const char *part)
{
    const size_t size = strlen(before) + times * strlen(unit) + strlen(after);
    char *code = malloc(size + 1), *at = code;
    cr_assert_not_null(code);
    at = stpcpy(at, before);
    for (size_t i = 0; i < times; ++i)
        at = stpcpy(at, unit);
    stpcpy(at, after);
    expect_refusal(code, size, "limit", part);
    free(code);
}

Test(torchscript_refusals, nesting_is_bounded)
{
    expect_limit(HEAD "    y = ", "[", 60000, "\n",
                 BEFORE "4: expressions are nested deeper than the limit of 64");
    expect_limit(HEAD "    return ", "(", 60000, "\n", "nested deeper");
    expect_limit(HEAD "    return x", ".a", 60000, "\n", "a chain of calls and attributes is longer");
    expect_limit(HEAD "    return x", "()", 60000, "\n", "a chain of calls and attributes is longer");
    expect_limit(HEAD "    return torch.add(", "x, ", 65, ")\n", "a list of more than 64 items");
    expect_limit(HEAD "    y = [", "1, ", 70000, "]\n", "a list of more than 65536 items");
    expect_limit("def f(x: Tensor", ", x: Tensor", 64, "):\n  pass\n", "more than 64 parameters");
}

Test(torchscript_refusals, the_file_must_parse)
{
    static const struct {
        const char *code, *reason, *part;
    } files[] = {
        {"", "malformed", "the class __torch__.Kernel is not in code/__torch__.py"},
        {"import os\n", "malformed", BEFORE "1: expected \"class\" or \"def\", found \"import\""},
        {"\xff\xfe", "malformed", BEFORE "1: unexpected character 0xff"},
        {"class Kernel(Module):\n  x = \"\xff\"\n", "malformed", BEFORE "2: a string is not UTF-8"},
        {"class Kernel(Module):\n  pass\n", "malformed", "has no method \"forward\""},
        {"class Kernel(Module):\n  def forward(self) -> Tensor:\n    return 1\n", "unsupported",
         "takes no input"},
        {"class Kernel(Module):\n  def forward(self, x, y):\n    return x\n", "unsupported",
         "more than one input"},
        {"class Kernel(Module):\n  def forward(self, x):\n    return x", "shape", "shows how wide"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
        expect_refusal(files[i].code, strlen(files[i].code), files[i].reason, files[i].part);
}
