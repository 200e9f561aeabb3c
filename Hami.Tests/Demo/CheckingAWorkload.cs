using Hami.Lab.Cluster;
using Hami.Lab.Demo;

namespace Hami.Tests.Demo;

public sealed class CheckingAWorkload
{
    private static readonly LabCard First = LabNode.Three[0].Cards[0];
    private static readonly LabCard Second = LabNode.Three[0].Cards[1];
    private static readonly LabCard Ampere = LabNode.Three[1].Cards[0];

    private static Workload Named(string name) => Workloads.All.Single(w => w.Name == name);

    private static Observation Running(params (LabCard Card, long MemoryMiB, int Cores)[] given) => new()
    {
        Phase = "Running",
        Node = "n1",
        Attached = true,
        Shares = [.. given.Select(g => new ObservedShare(g.Card.Uuid, g.MemoryMiB, g.Cores))],
        Probes = [.. given.Select((g, i) => new Probe(i, g.Card.Uuid, g.MemoryMiB, g.MemoryMiB, "CUDA_SUCCESS", "CUDA_ERROR_OUT_OF_MEMORY"))],
        Log = string.Join('\n', given.Select(g => $"| N/A   30C    P8    20W / 450W |     0MiB /{g.MemoryMiB,6}MiB |      0%      Default |")),
    };

    private static IReadOnlyList<string> Check(string name, Observation seen) => WorkloadCheck.Complaints(Named(name), seen, LabNode.Three);

    [Fact]
    public void A_share_of_the_asked_size_is_as_expected() =>
        Assert.Empty(Check("gpu-test", Running((First, 10240, 0))));

    [Fact]
    public void Half_of_a_card_is_half_of_its_registered_memory() =>
        Assert.Empty(Check("percent", Running((First, 12282, 0), (Second, 12282, 0))));

    [Fact]
    public void Whole_cards_come_with_all_their_cores() =>
        Assert.Empty(Check("exclusive", Running((First, 24564, 100), (Second, 24564, 100))));

    [Fact]
    public void A_whole_card_without_its_cores_is_named() =>
        Assert.Contains(Check("exclusive", Running((First, 24564, 100), (Second, 24564, 0))), c => c.Contains("0 % of the cores of " + Second.Uuid, StringComparison.Ordinal));

    [Fact]
    public void One_card_given_twice_is_not_two_cards() =>
        Assert.Contains("It has 2 shares on 1 different cards instead of 2.", Check("memory", Running((First, 3000, 0), (First, 3000, 0))));

    [Fact]
    public void A_card_of_another_model_is_named() =>
        Assert.Contains(Check("type", Running((First, 24564, 100), (Second, 24564, 100))), c => c.Contains("RTX 4090, not one of A100, V100", StringComparison.Ordinal));

    [Fact]
    public void A_card_that_is_not_listed_is_named() =>
        Assert.Contains(Check("uuid", Running((First, 24564, 100), (Second, 24564, 100))), c => c.EndsWith("is not one of those listed.", StringComparison.Ordinal));

    [Fact]
    public void A_card_of_another_node_is_named() =>
        Assert.Contains($"Its card {Ampere.Uuid} is not on its node n1.", Check("gpu-test", Running((Ampere, 10240, 0))));

    [Fact]
    public void A_process_that_may_allocate_beyond_its_limit_fails_the_check()
    {
        var seen = Running((First, 10240, 0));
        Assert.Equal(
            [$"Memory beyond the limit of {First.Uuid} is answered with CUDA_SUCCESS."],
            Check("gpu-test", seen with { Probes = [seen.Probes[0] with { Beyond = "CUDA_SUCCESS" }] }));
    }

    [Fact]
    public void A_process_that_sees_the_whole_card_fails_the_check()
    {
        var seen = Running((First, 10240, 0));
        Assert.Equal(
            [$"NVML shows 24564 MiB of {First.Uuid} inside instead of 10240."],
            Check("gpu-test", seen with { Probes = [seen.Probes[0] with { NvmlTotalMiB = 24564 }] }));
    }

    [Fact]
    public void A_log_without_the_table_fails_the_check() =>
        Assert.Equal(["The container's log does not show 0MiB / 10240MiB."], Check("gpu-test", Running((First, 10240, 0)) with { Log = "" }));

    [Fact]
    public void A_pod_that_waits_though_it_should_run_is_quoted() =>
        Assert.Equal(
            ["It is Pending instead of Running: 0/3 nodes are available"],
            Check("gpu-test", new Observation { Phase = "Pending", Condition = "0/3 nodes are available" }));

    [Fact]
    public void A_pod_that_can_never_run_waits_with_a_counted_reason_in_both_places() =>
        Assert.Empty(Check("uuid-impossible", Waiting));

    [Fact]
    public void An_unexplained_wait_fails_the_check()
    {
        Assert.Single(Check("uuid-impossible", Waiting with { Condition = "no nodes available" }));
        Assert.Single(Check("uuid-impossible", Waiting with { Wait = null }));
    }

    [Fact]
    public void A_skipped_workload_is_no_failure_and_says_why()
    {
        var report = WorkloadReport.Of(Named("mig"), new Observation(), LabNode.Three);
        Assert.True(report.Ok);
        Assert.Equal("skipped", report.Status);
        Assert.NotNull(report.Skipped);
    }

    private static readonly Observation Waiting = new()
    {
        Phase = "Pending",
        Condition = "0/3 nodes are available: 15 of 16 cards: UUID not allowed by the pod's annotations.",
        Wait = new("15 cards: UUID not allowed by the pod's annotations", new Dictionary<string, int>(StringComparer.Ordinal) { ["CardUuidMismatch"] = 15 }),
    };
}
