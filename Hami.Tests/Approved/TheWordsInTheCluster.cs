using System.Reflection;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Approved;

/// <summary>Node agents, dashboards and scripts written for HAMi read these words, and pods keep them over an upgrade.</summary>
public sealed class TheWordsInTheCluster
{
    [Fact]
    public void Keys_of_annotations_and_labels_and_their_fixed_values() => ApprovedText.Is(
        "keys.txt",
        string.Join('\n', new[] { typeof(HamiKeys), typeof(BindPhases), typeof(ResourceNames) }
            .SelectMany(t => t.GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral)
                .Select(f => $"{t.Name}.{f.Name} = {f.GetRawConstantValue()}").Order(StringComparer.Ordinal))
            .Append($"ResourceNames.Nvidia = {string.Join(' ', Nvidia(ResourceNames.Nvidia))}")));

    [Fact]
    public void What_a_Binding_carries_onto_a_pod_of_two_containers()
    {
        var allocation = new Allocation(
            new("019a0000-0000-7000-8000-000000000001"), "11111111-2222-3333-4444-555555555555", "default", "p1", 2,
            [new(0, "prepare", true, "GPU-n1-1", 2000, 0), new(1, "main", false, "GPU-n1-0", 3000, 30), new(1, "main", false, "GPU-n1-1", 3000, 30)],
            AllocationPhase.Placed);

        ApprovedText.Is("binding.txt", string.Join('\n', BindingAnnotations.Annotations(allocation, "n1", DateTimeOffset.FromUnixTimeSeconds(1_800_000_000))
            .Select(a => $"annotation {a.Key}: {a.Value}")
            .Concat(BindingAnnotations.Labels("n1").Select(l => $"label {l.Key}: {l.Value}"))
            .Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void Reasons_why_a_pod_waits_and_their_sentences()
    {
        var reasons = Enum.GetValues<CardRefusal>().Where(r => r is not CardRefusal.None).ToList();
        var ask = Asks.Pod("p1", memoryMiB: 90000);
        var several = new UnfitReasons(8, [(CardRefusal.AllocatedCardsInsufficientRequest, 1), (CardRefusal.CardUuidMismatch, 7)]);
        var none = UnfitReasons.From(1, Counts(CardRefusal.NodeInsufficientDevice));
        var nodes = new RefusedNodes(
            [new("n1", several), new("n2", none)], 9,
            [new("AllocatedCardsInsufficientRequest", 1, ["n1"]), new("CardUuidMismatch", 7, ["n1"]), new("NodeInsufficientDevice", 1, ["n2"])]);
        var refused = RefusePlacementDecider.Decide(new(ask, nodes, 2, 41), ClusterLedger.Empty).Events.OfType<PodEvent.PlacementRefused>().Single();

        ApprovedText.Is("reasons.txt", string.Join('\n', [
            .. reasons.Select(r => $"{r}: {r.Words()}"),
            .. reasons.Select(r => $"one card refuses with {r}: {UnfitReasons.From(1, Counts(r)).Text}"),
            $"several reasons on one node: {several.Text}",
            $"a node without cards: {PlaceAllocationDecider.NodeUnregistered}",
            $"reasons of a bind: {PlaceAllocationDecider.NodeUnfitPod} {PlaceAllocationDecider.AlreadyPlaced}",
            $"the whole cluster: {refused.Message}",
        ]));
    }

    private static string[] Nvidia(ResourceNames names) => [names.Count, names.Memory, names.MemoryPercent, names.Cores];

    private static int[] Counts(CardRefusal reason)
    {
        var counts = new int[CardRefusals.Count];
        counts[(int)reason] = 1;
        return counts;
    }
}
