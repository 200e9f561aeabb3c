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
    public void Two_instances_of_one_card_are_as_expected() => Assert.Empty(CheckMig(TwoInstances));

    [Fact]
    public void Instances_on_two_cards_are_not_packed() =>
        Assert.Contains(
            "It has 2 instances instead of 2 of one card.",
            CheckMig(TwoInstances with { Shares = [TwoInstances.Shares[0], TwoInstances.Shares[1] with { DeviceUuid = Cut.Cards[1].Uuid }] }));

    [Fact]
    public void An_instance_larger_than_needed_is_named() =>
        Assert.Contains("It has an instance of 20096 MiB instead of 9984.", CheckMig(TwoInstances with { Shares = [TwoInstances.Shares[0], TwoInstances.Shares[1] with { MemoryMiB = 20096 }] }));

    [Fact]
    public void An_instance_that_was_not_given_is_named() =>
        Assert.Contains(CheckMig(TwoInstances with { Listed = [.. TwoInstances.Listed, new(Cut.Cards[0].Uuid, "1g.5gb", "MIG-3")] }), c => c.StartsWith("nvidia-smi -L lists 2g.10gb of ", StringComparison.Ordinal));

    [Fact]
    public void A_process_on_another_instance_is_named() =>
        Assert.Contains("Processes inside see MIG-1, MIG-3 instead of the instances that nvidia-smi lists.", CheckMig(TwoInstances with { Probes = [TwoInstances.Probes[0], TwoInstances.Probes[1] with { Uuid = "MIG-3" }] }));

    [Fact]
    public void What_nvidia_smi_lists_is_read()
    {
        const string text = """
            GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-a)
              MIG 2g.10gb     Device  0: (UUID: MIG-1)
            GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-b)
              MIG 1c.3g.20gb  Device  4: (UUID: MIG-2)

            """;
        Assert.Equal([new("GPU-a", "2g.10gb", "MIG-1"), new("GPU-b", "1c.3g.20gb", "MIG-2")], Listed.Read(text));
    }

    private static LabNode Cut => LabNode.WithMigCards[0];

    private static readonly Observation TwoInstances = new()
    {
        Phase = "Running",
        Node = "m1",
        Attached = true,
        Shares = [new(LabNode.WithMigCards[0].Cards[0].Uuid, 9984, 29), new(LabNode.WithMigCards[0].Cards[0].Uuid, 9984, 29)],
        Listed = [new(LabNode.WithMigCards[0].Cards[0].Uuid, "2g.10gb", "MIG-1"), new(LabNode.WithMigCards[0].Cards[0].Uuid, "2g.10gb", "MIG-2")],
        Probes = [new(0, "MIG-1", 9984, 9984, "CUDA_SUCCESS", "CUDA_ERROR_OUT_OF_MEMORY"), new(0, "MIG-2", 9984, 9984, "CUDA_SUCCESS", "CUDA_ERROR_OUT_OF_MEMORY")],
        Log = "|  0    5   0   0  |                 0MiB / 9984MiB   | 28      0 |\n|  0    6   0   1  |                 0MiB / 9984MiB   | 28      0 |",
    };

    private static IReadOnlyList<string> CheckMig(Observation seen) => WorkloadCheck.Complaints(Named("mig-a100-40gb"), seen, LabNode.WithMigCards);

    private static readonly Observation Waiting = new()
    {
        Phase = "Pending",
        Condition = "0/3 nodes are available: 15 of 16 cards: UUID not allowed by the pod's annotations.",
        Wait = new("15 cards: UUID not allowed by the pod's annotations", new Dictionary<string, int>(StringComparer.Ordinal) { ["CardUuidMismatch"] = 15 }),
    };
}
