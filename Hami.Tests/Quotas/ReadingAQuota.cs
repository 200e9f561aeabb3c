using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Quotas;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

public sealed class ReadingAQuota
{
    [Theory]
    [InlineData("limits.nvidia.com/gpumem=2000", 1, 2000L, null)]
    [InlineData("limits.nvidia.com/gpumem=20k limits.nvidia.com/gpucores=200", 1, 20000L, 200L)]
    [InlineData("limits.nvidia.com/gpumem=0", 1, 0L, null)]
    [InlineData("limits.nvidia.com/gpumem=2000 limits.nvidia.com/gpucores=200", 2, 4000L, 200L)]
    public void Its_limits_on_memory_and_cores_count(string hard, int factor, long? memoryMiB, long? cores)
    {
        var (quota, faults) = Read(hard, factor);

        Assert.Equal(new NamespaceQuota("q", memoryMiB, cores), quota);
        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("requests.nvidia.com/gpumem=5 requests.nvidia.com/gpu=1")]
    [InlineData("limits.cpu=4 limits.nvidia.com/gpu=1 pods=7")]
    [InlineData("nvidia.com/gpumem=5 limits.example.com/gpumem=5")]
    [InlineData("")]
    public void What_limits_other_things_is_no_limit_of_accelerators(string hard) => Assert.Null(Read(hard).Quota);

    [Theory]
    [InlineData("limits.nvidia.com/gpumem=2000500m", 2000L, "ResourceQuota default/q: spec.hard[limits.nvidia.com/gpumem] is 2000.5; only 2000 of it counts")]
    [InlineData("limits.nvidia.com/gpumem=500m", 0L, "only 0 of it counts")]
    [InlineData("limits.nvidia.com/gpumem=-1", 0L, "is no whole number from 0 on; until it is one, nothing more is given out")]
    [InlineData("limits.nvidia.com/gpumem=?", 0L, "is no whole number from 0 on; until it is one, nothing more is given out")]
    [InlineData("limits.nvidia.com/gpumem=64Gi", 65536L, "is 68719476736, which can only be bytes")]
    [InlineData("limits.nvidia.com/gpumem=4294967295", 4294967295L, null)]
    public void A_value_that_says_something_else_than_it_means_limits_more_rather_than_less(string hard, long memoryMiB, string? sentence)
    {
        var (quota, faults) = Read(hard);

        Assert.Equal(memoryMiB, quota!.MemoryMiB);
        if (sentence is null)
            Assert.Empty(faults);
        else
            Assert.Contains(sentence, Assert.Single(faults), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "A14")]
    public void Renamed_resources_are_limited_under_their_new_names()
    {
        var nvidia = NvidiaConfig.Hami with { ResourceNames = ResourceNames.Nvidia with { Memory = "example.com/mem" } };

        Assert.Equal(
            new NamespaceQuota("q", 7, null),
            ReadQuota.Of(new("default", "q", Hard("limits.example.com/mem=7 limits.nvidia.com/gpumem=5")), nvidia).Quota);
    }

    private static (NamespaceQuota? Quota, IReadOnlyList<string> Faults) Read(string hard, int factor = 1) =>
        ReadQuota.Of(new("default", "q", Hard(hard)), NvidiaConfig.Hami with { MemoryFactor = factor });

    private static Dictionary<string, decimal?> Hard(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(e => e.Split('='))
        .ToDictionary(e => e[0], e => Api.Plumbing.Kubernetes.Quantity.TryParse(e[1], out var value) ? value : (decimal?)null, StringComparer.Ordinal);
}
