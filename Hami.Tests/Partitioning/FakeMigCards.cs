using System.Collections.Immutable;
using Hami.Domain.Ledger;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.Tests.Partitioning;

/// <summary>The agent was killed here.</summary>
internal sealed class Killed() : Exception("The agent was killed here.");

/// <summary>Cards of an A100's geometry, kept while agents come and go; a call can be made to fail, or to kill the agent.</summary>
internal sealed class FakeMigCards : IMigCards
{
    private static readonly ImmutableDictionary<string, MigPlacement[]> A100 = new Dictionary<string, MigPlacement[]>
    {
        ["1g.5gb"] = [.. Enumerable.Range(0, 7).Select(s => new MigPlacement(s, 1))],
        ["1g.10gb"] = [new(0, 2), new(2, 2), new(4, 2), new(6, 2)],
        ["2g.10gb"] = [new(0, 2), new(2, 2), new(4, 2)],
        ["3g.20gb"] = [new(0, 4), new(4, 4)],
        ["4g.20gb"] = [new(0, 4)],
        ["7g.40gb"] = [new(0, 8)],
    }.ToImmutableDictionary();

    private readonly Dictionary<string, (MigMode Mode, List<GpuInstance> There)> cards;
    private int born;

    public FakeMigCards(params string[] uuids) => cards = uuids.ToDictionary(u => u, _ => (new MigMode(true, true, true), new List<GpuInstance>()));

    public bool Exist => true;

    /// <summary>Called before each call (false) and after it has done its work (true).</summary>
    public Action<string, bool>? On { get; set; }

    /// <summary>Changes that were made so far.</summary>
    public int Changes { get; private set; }

    public IReadOnlyList<string> Cut() => Call("Cut", () => cards.Where(c => c.Value.Mode.Current).Select(c => c.Key).ToList());

    public MigMode Mode(string card) => Call("Mode", () => cards[card].Mode);

    public bool Enable(string card) => Call("Enable", () =>
    {
        Changes++;
        cards[card] = (EnabledMode, cards[card].There);
        return EnabledMode.Current;
    });

    /// <summary>What switching MIG mode on leads to.</summary>
    public MigMode EnabledMode { get; set; } = new(true, true, true);

    public void Set(string card, MigMode mode) => cards[card] = (mode, cards[card].There);

    public IReadOnlyList<GpuInstance> Instances(string card) => Call("Instances", () => cards[card].There.ToList());

    public IReadOnlyList<MigPlacement> Places(string card, string profile) => Call("Places", () => A100.GetValueOrDefault(profile) ?? []);

    public int CreateGpuInstance(MigSeat seat) => Call("CreateGpuInstance", () =>
    {
        if (cards[seat.Card].There.Exists(i => i.Seat.Overlaps(seat)))
            throw new NvmlException("nvmlDeviceCreateGpuInstanceWithPlacement", NvmlResult.InsufficientResources, "no room");
        return Put(seat).Id;
    });

    public int CreateComputeInstance(string card, int gpuInstance) => Call("CreateComputeInstance", () =>
    {
        Replace(card, gpuInstance, i => i with { Parts = [new(0, $"MIG-{++born}")] });
        return 0;
    });

    public string Uuid(string card, int gpuInstance, int computeInstance) => Call("Uuid", () => Find(card, gpuInstance).Parts.Single(p => p.Id == computeInstance).Uuid!);

    public void DestroyComputeInstance(string card, int gpuInstance, int computeInstance) => Call("DestroyComputeInstance", () =>
    {
        Replace(card, gpuInstance, i => Idle(i) with { Parts = i.Parts.RemoveAll(p => p.Id == computeInstance) });
        return true;
    });

    public void DestroyGpuInstance(string card, int gpuInstance) => Call("DestroyGpuInstance", () =>
    {
        if (!Idle(Find(card, gpuInstance)).Parts.IsEmpty)
            throw new NvmlException("nvmlGpuInstanceDestroy", NvmlResult.InUse, "in use");
        Changes++;
        return cards[card].There.RemoveAll(i => i.Id == gpuInstance) > 0;
    });

    /// <summary>Somebody else's.</summary>
    public GpuInstance Foreign(MigSeat seat)
    {
        var made = Put(seat);
        return Replace(seat.Card, made.Id, i => i with { Parts = [new(0, $"MIG-foreign-{++born}")] });
    }

    public IReadOnlyList<GpuInstance> All => [.. cards.Values.SelectMany(c => c.There)];

    public void Use(string uuid, bool inUse)
    {
        var instance = All.First(i => i.Parts.Any(p => p.Uuid == uuid));
        Replace(instance.Seat.Card, instance.Id, i => i with { InUse = inUse });
    }

    /// <summary>As a reset of the cards does.</summary>
    public void Vanish(string uuid)
    {
        foreach (var (_, there) in cards.Values)
            there.RemoveAll(i => i.Parts.Any(p => p.Uuid == uuid));
    }

    private T Call<T>(string name, Func<T> work)
    {
        On?.Invoke(name, false);
        var answer = work();
        On?.Invoke(name, true);
        return answer;
    }

    private GpuInstance Put(MigSeat seat)
    {
        Changes++;
        var there = cards[seat.Card].There;
        // The lowest free id, from 0, as ids come again.
        var made = new GpuInstance(seat, Enumerable.Range(0, 99).First(id => there.TrueForAll(i => i.Id != id)), []);
        there.Add(made);
        return made;
    }

    private GpuInstance Find(string card, int id) => cards[card].There.Find(i => i.Id == id)
        ?? throw new NvmlException("nvmlDeviceGetGpuInstanceById", NvmlResult.NotFound, "not found");

    private GpuInstance Replace(string card, int id, Func<GpuInstance, GpuInstance> with)
    {
        Changes++;
        var before = Find(card, id);
        var after = with(before);
        cards[card].There[cards[card].There.IndexOf(before)] = after;
        return after;
    }

    private static GpuInstance Idle(GpuInstance instance) => instance.InUse
        ? throw new NvmlException("nvmlComputeInstanceDestroy", NvmlResult.InUse, "in use")
        : instance;
}

/// <summary>A book that outlives agents; a write can be made to fail or to kill.</summary>
internal sealed class FakeMigBook : IMigBook
{
    public ImmutableArray<MadeInstance> Made { get; private set; } = [];

    public Action<string, bool>? On { get; set; }

    public Task<IDisposable> Enter(CancellationToken cancellation) => Task.FromResult<IDisposable>(new MemoryStream());

    public void Write(ImmutableArray<MadeInstance> made)
    {
        On?.Invoke("Write", false);
        Made = made;
        On?.Invoke("Write", true);
    }
}
