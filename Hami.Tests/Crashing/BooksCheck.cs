using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s;
using k8s.Models;
using Marten;

namespace Hami.Tests.Crashing;

/// <summary>Follows the log on its own and compares: what each process believes, what the pods say, and what a card has.</summary>
internal sealed class BooksCheck(IKubernetes kubernetes, IDocumentStore store)
{
    private ClusterLedger _ledger = ClusterLedger.Empty;
    private LogPlace _place = LogPlace.Beginning;

    /// <summary>Forgets what was read of a log that is no more.</summary>
    public void BeginAnew() => (_ledger, _place) = (ClusterLedger.Empty, LogPlace.Beginning);

    /// <summary>What does not agree; empty when all does.</summary>
    public async Task<string> DifferencesAsync(IReadOnlyList<ControlPlaneInside> processes)
    {
        await ReadOnAsync();
        var differences = new List<string>();
        var (pods, ledger) = ((await kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items, _ledger);
        var holding = pods.Where(p => !string.IsNullOrEmpty(p.Spec.NodeName) && p.Status?.Phase is not ("Succeeded" or "Failed")).ToDictionary(p => p.Uid(), StringComparer.Ordinal);
        foreach (var (uid, live) in ledger.LiveByPod)
        {
            if (!holding.Remove(uid, out var pod))
                differences.Add($"orphan: {live} of pod {uid}, which is not there or has no node");
            else if (ledger.AllocationOf(uid) is not { } allocation || !Says(pod, allocation, live.Node))
                differences.Add($"pod {pod.Name()} on {pod.Spec.NodeName} says otherwise than {live}");
        }
        differences.AddRange(holding.Values.Select(p => $"lost grant: pod {p.Name()} is on {p.Spec.NodeName} and holds nothing by the log"));
        var waiting = pods.Where(p => string.IsNullOrEmpty(p.Spec.NodeName)).Select(p => p.Uid()).ToHashSet(StringComparer.Ordinal);
        differences.AddRange(ledger.Waiting.Keys.Where(uid => !waiting.Contains(uid)).Select(uid => $"pod {uid} waits by the log, and is not there or has a node"));
        foreach (var process in processes)
            differences.AddRange(Differences(process));
        return string.Join("; ", differences);
    }

    /// <summary>Every event once; the fold throws when a pod gets a second live allocation.</summary>
    private async Task ReadOnAsync()
    {
        await using var session = store.QuerySession();
        var page = await LogReader.ReadOnAsync(session, _place, int.MaxValue - 1, CancellationToken.None);
        foreach (var e in page.Events)
        {
            _ledger = ClusterLedger.Evolve(_ledger, e.Stream, e.At, e.Event) with { Position = e.Position };
            if (e.Event is NodeEvent.AllocationPlaced placed)
                AssertFits(placed.Node, e.Position);
        }
        _place = page.End;
    }

    private void AssertFits(string node, long position)
    {
        var use = NodeUse.Of(node, _ledger.Node(node));
        for (var i = 0; i < use.Cards.Length; i++)
        {
            var (card, used) = (use.Cards[i], use.Uses[i]);
            Assert.True(used.MemoryMiB <= card.MemoryMiB && used.Slots <= card.Slots && used.Cores <= card.Cores, $"double grant: event {position} gives more of {card.Uuid} than it has: {used}");
        }
    }

    private IEnumerable<string> Differences(ControlPlaneInside process)
    {
        if (process.WhyNotReady is { } whyNot)
            yield return whyNot;
        if (process.Journal.Ledger is var live && live.Position != _ledger.Position)
            yield return $"a process has folded to {live.Position}, the log ends at {_ledger.Position}";
        else if (Text(live) != Text(_ledger))
            yield return "a process's ledger is not the fold of the log";
        foreach (var (name, node) in _ledger.Nodes)
        {
            var slot = process.View.Known(name)?.Slot;
            var taken = slot?.Reservations.Aggregate(slot.Use, (use, reserved) => use.Without(reserved.Shares));
            if (taken is null || !taken.Uses.SequenceEqual(NodeUse.Of(name, node).Uses))
                yield return $"a process sees another {name} than the log";
        }
    }

    private static bool Says(V1Pod pod, Allocation allocation, string node) =>
        allocation.Phase is not AllocationPhase.Placed
        && pod.Spec.NodeName == node
        && pod.GetAnnotation(HamiKeys.AllocationId) == allocation.Id.ToString()
        && DeviceList.Decode(pod.GetAnnotation(HamiKeys.DevicesAllocated)).SelectMany(c => c).Select(d => (d.Uuid, d.MemoryMiB, d.Cores))
            .SequenceEqual(allocation.Shares.Select(s => (s.DeviceUuid, s.MemoryMiB, s.Cores)));

    private static string Text(ClusterLedger ledger) => JsonSerializer.Serialize(LedgerSnapshot.Of(ledger), Checkpoints.Json);
}
