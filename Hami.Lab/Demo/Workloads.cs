namespace Hami.Lab.Demo;

/// <summary>The article's workloads as a table.</summary>
internal static class Workloads
{
    public static readonly IReadOnlyList<Workload> All =
    [
        new("gpu-test", "gpu-test-pod.yaml", Outcome.Runs, "one card, 10240 MiB seen inside") { Cards = 1, MemoryMiB = 10240 },
        new("exclusive", "exclusive.yaml", Outcome.Runs, "two cards, whole, nobody else on them") { Cards = 2, Cores = 100 },
        new("memory", "memory.yaml", Outcome.Runs, "two cards, 3000 MiB of each") { Cards = 2, MemoryMiB = 3000 },
        new("percent", "percent.yaml", Outcome.Runs, "two cards, half the memory of each") { Cards = 2, MemoryPercent = 50 },
        new("cores", "cores.yaml", Outcome.Runs, "two cards, 50 % of the SMs of each") { Cards = 2, Cores = 50 },
        new("type", "type.yaml", Outcome.Runs, "two cards, each an A100 or a V100") { Cards = 2, Cores = 100, Models = ["A100", "V100"] },
        new("uuid", "uuid.yaml", Outcome.Runs, "the two cards that are listed")
        {
            Cards = 2,
            Cores = 100,
            Uuids = ["GPU-0000a100-0002-4000-8000-000000000001", "GPU-0000a100-0002-4000-8000-000000000003"],
        },
        new("uuid-impossible", "uuid-impossible.yaml", Outcome.StaysPending, "Pending: one UUID is listed, two cards are asked")
        {
            Reason = "CardUuidMismatch",
            InWords = "UUID not allowed by the pod's annotations",
        },
        new("mig-a100-40gb", "mig.yaml", Outcome.Runs, "two instances 2g.10gb of one A100 of 40 GB") { Cards = 2, MigProfile = "2g.10gb", OnlyModel = "A100-SXM4-40GB" },
        new("mig-a100-80gb", "mig.yaml", Outcome.Runs, "two instances 1g.10gb of one A100 of 80 GB") { Cards = 2, MigProfile = "1g.10gb", OnlyModel = "A100-SXM4-80GB" },
    ];

    /// <summary>The picky first: everybody else can do with the cards they leave.</summary>
    public static IEnumerable<Workload> OnCards =>
        All.Where(w => w.MigProfile is null).OrderByDescending(w => w.Uuids.Count).ThenByDescending(w => w.Models.Count);

    /// <summary>Those that want instances.</summary>
    public static IEnumerable<Workload> OnInstances => All.Where(w => w.MigProfile is not null);

    public static IEnumerable<Workload> InOrderOfApplying => OnCards.Concat(OnInstances);
}
