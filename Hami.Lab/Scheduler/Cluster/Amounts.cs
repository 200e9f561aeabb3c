using System.Runtime.InteropServices;
using Hami.Lab.Kubelet;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What a pod asks or a node has: CPU in millicores, memory and disk in bytes, everything else by its name.</summary>
internal sealed class Amounts
{
    private Dictionary<string, long>? _others;

    public long MilliCpu { get; private set; }

    public long MemoryBytes { get; private set; }

    public long DiskBytes { get; private set; }

    /// <summary>Extended resources, huge pages and the like.</summary>
    public IReadOnlyCollection<KeyValuePair<string, long>> Others => _others is null ? [] : _others;

    public bool IsNothing => MilliCpu == 0 && MemoryBytes == 0 && DiskBytes == 0 && _others is null;

    public long Other(string name) => _others is not null && _others.TryGetValue(name, out var amount) ? amount : 0;

    public static Amounts Of(IDictionary<string, ResourceQuantity>? quantities)
    {
        var amounts = new Amounts();
        foreach (var (name, quantity) in quantities ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            amounts.Set(name, quantity);
        return amounts;
    }

    public void Add(Amounts more, int times = 1)
    {
        MilliCpu += times * more.MilliCpu;
        MemoryBytes += times * more.MemoryBytes;
        DiskBytes += times * more.DiskBytes;
        if (more._others is null)
            return;
        foreach (var (name, amount) in more._others)
            CollectionsMarshal.GetValueRefOrAddDefault(_others ??= new(StringComparer.Ordinal), name, out _) += times * amount;
    }

    /// <summary>Each amount becomes at least the other's.</summary>
    public void RaiseTo(Amounts least)
    {
        MilliCpu = Math.Max(MilliCpu, least.MilliCpu);
        MemoryBytes = Math.Max(MemoryBytes, least.MemoryBytes);
        DiskBytes = Math.Max(DiskBytes, least.DiskBytes);
        foreach (var (name, amount) in least.Others)
            (_others ??= new(StringComparer.Ordinal))[name] = Math.Max(Other(name), amount);
    }

    /// <summary>What is named here replaces what was there.</summary>
    public void Replace(IDictionary<string, ResourceQuantity>? quantities)
    {
        foreach (var (name, quantity) in quantities ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            Set(name, quantity);
    }

    /// <summary>Whether any amount is smaller here.</summary>
    public bool IsLessThan(Amounts other) =>
        MilliCpu < other.MilliCpu || MemoryBytes < other.MemoryBytes || DiskBytes < other.DiskBytes || other.Others.Any(o => Other(o.Key) < o.Value);

    /// <summary>CPU and memory a container is taken to need when it says nothing, so that nodes do not fill up with silent pods.</summary>
    public void AssumeAtLeast(long milliCpu, long memoryBytes)
    {
        MilliCpu = MilliCpu == 0 ? milliCpu : MilliCpu;
        MemoryBytes = MemoryBytes == 0 ? memoryBytes : MemoryBytes;
    }

    private void Set(string name, ResourceQuantity quantity)
    {
        switch (name)
        {
            case "cpu":
                MilliCpu = Quantity.Whole(Quantity.Of(quantity) * 1000);
                break;
            case "memory":
                MemoryBytes = Quantity.Whole(Quantity.Of(quantity));
                break;
            case "ephemeral-storage":
                DiskBytes = Quantity.Whole(Quantity.Of(quantity));
                break;
            case "pods":
                break;
            default:
                (_others ??= new(StringComparer.Ordinal))[name] = Quantity.Whole(Quantity.Of(quantity));
                break;
        }
    }
}
