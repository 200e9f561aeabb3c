using Hami.Domain.Ledger;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The cards of this node as far as they can be cut. Every call may throw <see cref="NvmlException"/>.</summary>
internal interface IMigCards
{
    /// <summary>False where the cards are simulated: nothing can be cut then.</summary>
    bool Exist { get; }

    /// <summary>UUIDs of the cards that are in MIG mode now.</summary>
    IReadOnlyList<string> Cut();

    MigMode Mode(string card);

    /// <summary>Switches MIG mode on; returns whether it is in force at once.</summary>
    bool Enable(string card);

    /// <summary>All that is cut out of the card, by whom ever.</summary>
    IReadOnlyList<GpuInstance> Instances(string card);

    /// <summary>Where an instance of this profile may be, as NVML lists it; empty when the card has no such profile.</summary>
    IReadOnlyList<MigPlacement> Places(string card, string profile);

    /// <summary>Returns its id.</summary>
    int CreateGpuInstance(MigSeat seat);

    /// <summary>Makes the compute instance that takes all of the GPU instance, with shared engines; returns its id.</summary>
    int CreateComputeInstance(string card, int gpuInstance);

    /// <summary>UUID of the MIG device that programs see.</summary>
    string Uuid(string card, int gpuInstance, int computeInstance);

    void DestroyComputeInstance(string card, int gpuInstance, int computeInstance);

    void DestroyGpuInstance(string card, int gpuInstance);
}

/// <summary>Whether a card is in MIG mode, and whether it will be after its next reset.</summary>
internal readonly record struct MigMode(bool Supported, bool Current, bool Pending)
{
    /// <summary>Must the mode be switched on first?</summary>
    public bool IsOff => Supported && !Current && !Pending;

    /// <summary>Why no instance can be made, in a few words; null when one can, or can once the mode is on.</summary>
    public string? Obstacle => (Supported, Current, Pending) switch
    {
        (true, true, false) => "leaves MIG mode at its next reset: switch the mode on again (nvidia-smi -mig 1), or take the node out of mode mig",
        (true, false, true) => "enters MIG mode only at its next reset: reset it (nvidia-smi --gpu-reset) while nothing uses it",
        _ => null,
    };
}
