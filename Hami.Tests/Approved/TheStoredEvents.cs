using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;
using JasperFx.Events;
using Marten;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;
using static Hami.Domain.Ledger.PolicyEvent;
using static Hami.Domain.Ledger.QuotaEvent;

namespace Hami.Tests.Approved;

/// <summary>Events are stored for ever, so one sample of each is approved as the database holds it, in a file of the name it is stored under.</summary>
/// <remarks>
/// A field that a release adds changes a sample: the one before is then kept as <c>name.1.json</c>, <c>name.2.json</c> and so on, for logs that
/// hold it; HAMI_APPROVE=1 sees to that. Every one of them must be readable for ever.
/// </remarks>
public sealed class TheStoredEvents
{
    private const string Folder = "events";

    private static readonly JsonSerializerOptions Pretty = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const string PodUid = "11111111-2222-3333-4444-555555555555";

    private static readonly Guid Id = new("019a0000-0000-7000-8000-000000000001");

    private static readonly Share[] Shares =
    [
        new(0, "prepare", true, "GPU-n1-0", 2000, 0),
        new(1, "main", false, "GPU-n1-0", 3000, 30),
        new(1, "main", false, "GPU-n1-1", 4864, 14, new("1g.5gb", 6, 1)),
    ];

    private static readonly PodAsk Ask = new(
        PodUid, "default", "p1",
        [new("prepare", true, 1, 2000, 40, 10), new("main", false, 2, 3000, 50, 30)],
        new(["A100"], ["T4"], ["GPU-n1-0"], ["GPU-n1-9"], "hami-core", true),
        NodePolicy.Spread, new("binpack,numa"), new(1, 2, 3), "group-1", new(4000, 8192), new("Job", "train"));

    // Once written though they follow from what stands beside them.
    private static readonly string[] Computed = ["isMig", "mask", "isUnlimited"];

    // Never connects: only its names and its serializer are asked.
    private static readonly DocumentStore Store = DocumentStore.For(options => MartenSetup.Configure(options, "Host=nowhere"));

    // No two values alike and none a default, so that a field which is lost or mixed up is seen.
    private static readonly object[] Samples =
    [
        new DevicesRegistered("n1", [new("GPU-n1-0", 1, "NVIDIA A100-SXM4-40GB", 40960, 100, 10, 2, "mig", true, [new("1g.5gb", 4864, 14, 1, [new(6, 1)])])], [new("GPU-n1-0", "GPU-n1-1", 100)]),
        new NodeRemoved("n1", "the node left the cluster"),
        new DeviceCordoned("GPU-n1-0"),
        new DeviceUncordoned("GPU-n1-1"),
        new AllocationPlaced(
            Id, PodUid, "default", "p1", "n1", 2, Shares,
            new(41, 3, [new("n2", 1.25m), new("n3", 0.5m)], "binpack", "spread", 2.75m, [new("66666666-7777-8888-9999-000000000000", [Shares[1] with { DeviceUuid = "GPU-n1-1" }])],
                Ask, new(9000, 80), 5, new(16000, 65536), 6)),
        new AllocationAdopted(Id, PodUid, "default", "p1", "n1", 2, Shares, "hami.io/vgpu-devices-allocated of HAMi", true, new("Deployment", "serve")),
        new AllocationBound(Id),
        new AllocationAttached(Id),
        new AllocationShrunk(Id, PodUid),
        new AllocationReleased(Id, PodUid, ReleaseReason.BindFailed),
        new NodeCarriedForward("n1", 3, "5d41", new(
            "n1", [new("GPU-n1-0", 1, "NVIDIA A10", 23028, 100, 10, 2, "hami-core", true)], [new("GPU-n1-0", "GPU-n1-1", 100)], ["GPU-n1-1"],
            [new(Id, PodUid, "default", "p1", 2, Shares, AllocationPhase.Attached, true, true)], 10000)),
        new PlacementRefused(
            PodUid, "default", "p1", "No node has what the pod asks: of 2 cards on 1 nodes, 2 cards: too little free memory.",
            [new("CardInsufficientMemory", 2, ["n1"])], 42, Ask),
        new WorkloadWithdrawn(PodUid),
        new PreemptionPlanned(PodUid, "default", "p1", [new("n1", ["22222222-2222-3333-4444-555555555555"])], "evicting 1 pod on n1 makes room", 43),
        new QuotaChanged("default", [new("team", 40000, 200)]),
        new WorkloadMixLearned(
            new([new(new(2, 8000, 40, 30, new(4000, 16384), "A100", "T4"), 1.5)]), new Dictionary<string, int>(StringComparer.Ordinal) { ["NVIDIA A100"] = 8 }, 64, "learned"),
        new PolicyChanged("spread", "binpack", "binpack", "spread", "hami-api serve"),
    ];

    // A family is an abstract record, closed by its private constructor, with its events inside.
    public static TheoryData<string> Events =>
    [
        .. typeof(NodeEvent).Assembly.GetTypes().Where(t => t is { IsAbstract: true, IsSealed: false, Namespace: "Hami.Domain.Ledger" } && t.Name.EndsWith("Event", StringComparison.Ordinal))
            .SelectMany(family => family.GetNestedTypes().Where(e => e.BaseType == family)).Select(e => e.Name),
    ];

    [Theory]
    [MemberData(nameof(Events))]
    public void An_event_is_stored_under_its_name_as_approved(string name)
    {
        var sample = Samples.SingleOrDefault(s => s.GetType().Name == name);
        Assert.True(sample is not null, $"Every event has one sample above; {name} has none.");

        var (file, json) = ($"{Folder}/{StoredName(sample.GetType())}.json", Json(sample));
        ApprovedText.KeepEarlier(file, earlier => Members(earlier) != Members(json));
        ApprovedText.Is(file, json);
    }

    [Theory]
    [MemberData(nameof(Events))]
    public void An_event_comes_back_from_its_approved_text_as_it_was_written(string name)
    {
        var sample = Samples.Single(s => s.GetType().Name == name);
        var text = File.ReadAllText(ApprovedText.Files(Folder).Single(f => Path.GetFileName(f) == $"{StoredName(sample.GetType())}.json"));

        var read = Read(sample.GetType(), text);

        Assert.Equal(sample.GetType(), read.GetType());
        Assert.Equivalent(sample, read, strict: true);
    }

    [Fact]
    public void Every_event_ever_approved_has_a_type_and_can_still_be_read()
    {
        foreach (var file in ApprovedText.Files(Folder))
        {
            var stored = Path.GetFileName(file).Split('.')[0];
            var type = Known.SingleOrDefault(e => e.EventTypeName == stored)?.EventType;
            Assert.True(type is not null, $"No event is stored as {stored}, but logs hold it.");
            var text = File.ReadAllText(file);

            var again = Json(Read(type, text));

            // Nothing that was written may be lost; what came later may be added.
            AssertHolds(JsonNode.Parse(again), JsonNode.Parse(text), Path.GetFileName(file));
        }
    }

    [Fact]
    public void Every_event_is_named_and_no_two_share_a_name()
    {
        var named = Known.Where(e => e.EventType.Assembly == typeof(NodeEvent).Assembly).ToList();

        Assert.Equal(Events.Select(e => e.Data).Order(StringComparer.Ordinal), named.Select(e => e.EventType.Name).Order(StringComparer.Ordinal));
        Assert.Distinct(named.Select(e => e.EventTypeName), StringComparer.Ordinal);
    }

    [Theory]
    [InlineData(typeof(ReleaseReason), "Completed Failed Deleted BindFailed")]
    public void Words_inside_events_stay(Type words, string approved) => Assert.Equal(approved, string.Join(' ', Enum.GetNames(words)));

    [Fact]
    public void No_two_approved_texts_of_an_event_have_the_same_members()
    {
        foreach (var versions in ApprovedText.Files(Folder).GroupBy(f => Path.GetFileName(f).Split('.')[0], StringComparer.Ordinal))
        {
            Assert.Distinct(versions.Select(f => Members(File.ReadAllText(f))));
            Assert.Equal(versions.Count() - 1, versions.Count(f => Path.GetFileName(f).Split('.').Length == 3));
        }
    }

    /// <summary>Names of everything inside, without the values: another set is another version.</summary>
    private static string Members(string json)
    {
        return string.Join('\n', Paths(JsonNode.Parse(json), "").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

        static IEnumerable<string> Paths(JsonNode? node, string at) => node switch
        {
            JsonObject members => members.SelectMany(m => Paths(m.Value, $"{at}/{m.Key}")),
            JsonArray items => items.SelectMany(i => Paths(i, $"{at}[]")),
            _ => [at],
        };
    }

    private static IReadOnlyList<IEventType> Known => ((IDocumentStore)Store).Options.Events.AllKnownEventTypes();

    private static string StoredName(Type type) =>
        Known.Single(e => e.EventType == type).EventTypeName;

    private static string Json(object happened) =>
        JsonNode.Parse(Store.Options.Serializer().ToJson(happened))!.ToJsonString(Pretty);

    private static object Read(Type type, string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return Store.Options.Serializer().FromJson(type, stream);
    }

    private static void AssertHolds(JsonNode? now, JsonNode? then, string where)
    {
        switch (then)
        {
            case JsonObject members:
                Assert.All(members.Where(m => !Computed.Contains(m.Key)), m => AssertHolds(now?[m.Key], m.Value, $"{where}/{m.Key}"));
                break;
            case JsonArray items:
                Assert.Equal(items.Count, now?.AsArray().Count);
                for (var i = 0; i < items.Count; i++)
                    AssertHolds(now![i], items[i], $"{where}/{i}");
                break;
            default:
                Assert.True(JsonNode.DeepEquals(now, then), $"{where} was {then?.ToJsonString()} and is read as {now?.ToJsonString()}");
                break;
        }
    }
}
