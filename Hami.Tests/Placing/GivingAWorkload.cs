using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>A typical workload that an admin gives with <c>--workload-file</c>.</summary>
public sealed class GivingAWorkload
{
    private static readonly WorkloadMix Mix = new([new(new(1, 8000, 0, 0), 3)]);

    [Fact]
    public void Yaml_and_json_say_the_same()
    {
        var yaml = WorkloadFile.Parse(
            """
            - { cards: 1, memoryMiB: 8000, cores: 30, cpuMilli: 4000, hostMemoryMiB: 16384, weight: 3 }
            - cards: 2
              memoryPercent: 50
              useTypes: [A100, V100]
              avoidTypes: 1080
              weight: 0.5
            - weight: 1
            """);
        var json = WorkloadFile.Parse(
            """
            [{"cards":1,"memoryMiB":8000,"cores":30,"cpuMilli":4000,"hostMemoryMiB":16384,"weight":3},
             {"cards":2,"memoryPercent":50,"useTypes":"A100,V100","avoidTypes":"1080","weight":0.5},{}]
            """);

        Assert.Equal(yaml.Kinds, json.Kinds);
        Assert.Equal(
            [new(new(1, 8000, 0, 30, new(4000, 16384)), 3), new(new(2, 0, 50, 0, null, "A100,V100", "1080"), 0.5), new(new(1, 0, 100, 0), 1)], yaml.Kinds);
    }

    [Theory]
    [InlineData("", "the file is expected to be a list of kinds of pods, such as - { cards: 1, memoryMiB: 8000, weight: 3 }")]
    [InlineData("cards: 1", "the file is expected to be a list of kinds of pods, such as - { cards: 1, memoryMiB: 8000, weight: 3 }")]
    [InlineData("[]", "The typical workload has 0 kinds of pods; give it 1 to 1024.")]
    [InlineData("[5]", "kind 1 is expected to be a mapping of keys to values, such as { cards: 1, memoryMiB: 8000, weight: 3 }")]
    [InlineData("[{}, {memory: 5}]", "kind 2 has memory, which is none of cards, memoryMiB, memoryPercent, cores, cpuMilli, hostMemoryMiB, useTypes, avoidTypes, weight")]
    [InlineData("[{cards: many}]", "kind 1: cards is many, but is expected to be a whole number")]
    [InlineData("[{weight: [1]}]", "kind 1: weight is [ 1 ], but is expected to be a number")]
    [InlineData("[{cards: 0}]", "Kind 1 of the typical workload: cards is 0, but it must be 1 to 1024.")]
    [InlineData("[{weight: -1}]", "Kind 1 of the typical workload: weight is -1, but it must be more than 0.")]
    public void What_cannot_be_is_said_in_a_sentence(string text, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<FormatException>(() => WorkloadFile.Parse(text)).Message);

    [Fact]
    public void A_given_workload_stays_until_none_is_given_and_then_it_is_learned_again()
    {
        var taught = Enumerable.Range(0, 20).Aggregate(ClusterLedger.Empty, (l, _) => l with { Learned = l.Learned.With(new(1, 3000, 0, 0)) });
        var given = Then(taught, GiveWorkloadDecider.Decide(new(Mix, "test"), taught));

        Assert.Equal(Mix.Kinds, given.Workload!.Mix.Kinds);
        Assert.Empty(GiveWorkloadDecider.Decide(new(Mix, "test"), given).Events);
        Assert.Empty(LearnWorkloadDecider.Decide(new(), given).Events);

        var back = Then(given, TakeWorkloadBackDecider.Decide(new(), given));
        Assert.Contains(back.Workload!.Mix.Kinds, k => k.Kind.MemoryMiB == 3000);
        Assert.Equal(20, back.Workload.Asks);
        Assert.Empty(TakeWorkloadBackDecider.Decide(new(), back).Events);
    }

    [Fact]
    public void Before_anything_was_learned_the_assumed_workload_comes_back()
    {
        var given = Then(ClusterLedger.Empty, GiveWorkloadDecider.Decide(new(Mix, "test"), ClusterLedger.Empty));

        var back = Then(given, TakeWorkloadBackDecider.Decide(new(), given));

        Assert.Equal(WorkloadMix.Assumed.Kinds.Select(k => k.Kind).Order(Comparer), back.Workload!.Mix.Kinds.Select(k => k.Kind).Order(Comparer));
        Assert.Empty(TakeWorkloadBackDecider.Decide(new(), back).Events);
        Assert.Empty(TakeWorkloadBackDecider.Decide(new(), ClusterLedger.Empty).Events);
    }

    [Fact]
    public async Task The_flag_writes_it_and_its_absence_takes_it_back()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "- { cards: 1, memoryMiB: 8000, weight: 3 }");
        try
        {
            var database = await TestPostgres.CreateDatabaseAsync();
            await using (var scene = await ControlPlaneScene.StartAsync(nodes: 1, database: database, flags: ["--workload-file", file]))
                await LearnedAsync(scene, "given by an admin, --workload-file");
            await using (var scene = await ControlPlaneScene.StartAsync(nodes: 1, database: database))
                await LearnedAsync(scene, "since no workload is given any more");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static readonly Comparer<WorkloadKind> Comparer = Comparer<WorkloadKind>.Create((a, b) => string.CompareOrdinal(a.ToString(), b.ToString()));

    private static ClusterLedger Then(ClusterLedger ledger, Verdict<PolicyEvent> verdict) =>
        verdict.Events.Aggregate(ledger, (l, e) => ClusterLedger.Evolve(l, Streams.Policy, DateTimeOffset.UnixEpoch, e));

    private static Task LearnedAsync(ControlPlaneScene scene, string source) => ControlPlaneScene.UntilAsync(
        async () => (await scene.ColumnAsync("select data::text from hami.mt_events where type = 'workload_mix_learned' order by seq_id"))
            .LastOrDefault()?.Contains(source, StringComparison.Ordinal) == true,
        () => $"the workload is not {source}:\n{scene.Log}");
}
