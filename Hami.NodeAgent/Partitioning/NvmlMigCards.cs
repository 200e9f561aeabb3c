using System.Collections.Immutable;
using Hami.Domain.Ledger;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The cards as NVML has them.</summary>
internal sealed class NvmlMigCards(NvmlSession session) : IMigCards
{
    public bool Exist => session.Exists;

    public IReadOnlyList<string> Cut() => session.Ask(nvml => Enumerable.Range(0, nvml.Count()).Select(nvml.ByIndex)
        .Where(device => ModeOf(nvml, device).Current).Select(nvml.Uuid).ToList());

    public MigMode Mode(string card) => session.Ask(nvml => ModeOf(nvml, nvml.ByUuid(card)));

    public bool Enable(string card) => session.Ask(nvml => nvml.SetMigMode(nvml.ByUuid(card), enabled: true) is NvmlResult.Success);

    public IReadOnlyList<GpuInstance> Instances(string card) => session.Ask(nvml =>
    {
        var device = nvml.ByUuid(card);
        if (!ModeOf(nvml, device).Current)
            return [];
        var programs = MigDevice.Of(nvml, device);
        var there = new List<GpuInstance>();
        foreach (var profile in MigProfile.Of(nvml, device))
            foreach (var instance in nvml.GpuInstances(device, profile.Info.Id, profile.Info.InstanceCount))
                there.Add(Instance(nvml, card, profile, instance, programs));
        return there;
    });

    public IReadOnlyList<MigPlacement> Places(string card, string profile) => session.Ask(nvml =>
    {
        var device = nvml.ByUuid(card);
        return Find(nvml, device, profile) is { } found
            ? nvml.PossiblePlacements(device, found.Info.Id).Select(p => new MigPlacement((int)p.Start, (int)p.Size)).ToList()
            : (IReadOnlyList<MigPlacement>)[];
    });

    public int CreateGpuInstance(MigSeat seat) => session.Ask(nvml =>
    {
        var device = nvml.ByUuid(seat.Card);
        var profile = Find(nvml, device, seat.Profile) ?? throw new NvmlException("nvmlDeviceGetGpuInstanceProfileInfo", NvmlResult.NotSupported, $"no profile {seat.Profile}");
        return (int)nvml.Of(nvml.CreateGpuInstance(device, profile.Info.Id, new((uint)seat.Place.Start, (uint)seat.Place.Size))).Id;
    });

    public int CreateComputeInstance(string card, int gpuInstance) => session.Ask(nvml =>
    {
        var device = nvml.ByUuid(card);
        var instance = nvml.GpuInstanceById(device, (uint)gpuInstance);
        var slices = MigProfile.Of(nvml, device).First(p => p.Info.Id == nvml.Of(instance).ProfileId).Info.SliceCount;
        var whole = ComputeProfiles(nvml, instance).First(p => p.SliceCount == slices);
        return (int)nvml.Of(nvml.CreateComputeInstance(instance, whole.Id)).Id;
    });

    public string Uuid(string card, int gpuInstance, int computeInstance) => session.Ask(nvml =>
        MigDevice.Of(nvml, nvml.ByUuid(card)).FirstOrDefault(d => d.GpuInstance == gpuInstance && d.ComputeInstance == computeInstance)?.Uuid
        ?? throw new NvmlException("nvmlDeviceGetMigDeviceHandleByIndex", NvmlResult.NotFound, $"no MIG device of GPU instance {gpuInstance}, compute instance {computeInstance}"));

    public void DestroyComputeInstance(string card, int gpuInstance, int computeInstance) => session.Ask(nvml =>
    {
        var instance = nvml.GpuInstanceById(nvml.ByUuid(card), (uint)gpuInstance);
        foreach (var profile in ComputeProfiles(nvml, instance))
            foreach (var part in nvml.ComputeInstances(instance, profile.Id, profile.InstanceCount).Where(p => nvml.Of(p).Id == computeInstance))
            {
                nvml.Destroy(part);
                return true;
            }
        return false;
    });

    public void DestroyGpuInstance(string card, int gpuInstance) => session.Ask(nvml =>
    {
        nvml.Destroy(nvml.GpuInstanceById(nvml.ByUuid(card), (uint)gpuInstance));
        return true;
    });

    internal static MigMode ModeOf(NvmlLibrary nvml, NvmlDevice device)
    {
        try
        {
            var (current, pending) = nvml.MigMode(device);
            return new(true, current, pending);
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotSupported)
        {
            return default;
        }
    }

    private static GpuInstance Instance(NvmlLibrary nvml, string card, MigProfile profile, NvmlGpuInstance instance, IReadOnlyList<MigDevice> programs)
    {
        var info = nvml.Of(instance);
        var parts = ComputeProfiles(nvml, instance)
            .SelectMany(p => nvml.ComputeInstances(instance, p.Id, p.InstanceCount)).Select(p => (int)nvml.Of(p).Id).Distinct()
            .Select(id => new ComputeInstance(id, programs.FirstOrDefault(d => d.GpuInstance == info.Id && d.ComputeInstance == id)?.Uuid))
            .ToImmutableArray();
        return new(
            new(card, profile.Name, new((int)info.Placement.Start, (int)info.Placement.Size)), (int)info.Id, parts,
            programs.Any(d => d.GpuInstance == info.Id && IsInUse(nvml, d.Handle)));
    }

    // What cannot be told is in use.
    private static bool IsInUse(NvmlLibrary nvml, NvmlDevice mig)
    {
        try
        {
            return nvml.ComputeProcesses(mig).Length > 0;
        }
        catch (NvmlException e) when (!e.DriverIsGone)
        {
            return e.Result is not NvmlResult.NotSupported;
        }
    }

    // By the name that NVIDIA's tools use; else the plain profile of as many slices, as HAMi takes it.
    private static MigProfile? Find(NvmlLibrary nvml, NvmlDevice device, string name)
    {
        var all = MigProfile.Of(nvml, device);
        return all.FirstOrDefault(p => p.Name == name)
            ?? (name.IndexOfAny(['+', '-']) >= 0 ? null : all.FirstOrDefault(p => p.IsPlain && name.StartsWith($"{p.Info.SliceCount}g.", StringComparison.Ordinal)));
    }

    private static List<NvmlComputeInstanceProfile> ComputeProfiles(NvmlLibrary nvml, NvmlGpuInstance instance)
    {
        var profiles = new List<NvmlComputeInstanceProfile>();
        for (uint number = 0; number < MostComputeProfiles; number++)
        {
            try
            {
                profiles.Add(nvml.ComputeInstanceProfile(instance, number));
            }
            catch (NvmlException e) when (e.Result is NvmlResult.NotSupported or NvmlResult.InvalidArgument)
            {
                // Not for this instance.
            }
        }
        return profiles;
    }

    // nvml.h, NVML_COMPUTE_INSTANCE_PROFILE_COUNT is 8; a newer driver may have more.
    private const uint MostComputeProfiles = 12;
}
