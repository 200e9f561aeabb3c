using System.Security.Cryptography;
using System.Text;
using Hami.NodeAgent.Registering;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>A card or a MIG device in a container's hands.</summary>
/// <param name="Index">NVML's, such as <c>0</c>, or <c>0:1</c> for a MIG device.</param>
/// <param name="Nodes">Its device nodes.</param>
internal sealed record HandedDevice(string Uuid, string Index, IReadOnlyList<string> Nodes)
{
    public static HandedDevice Of(Card card) => new(card.Uuid, card.Index.ToString(System.Globalization.CultureInfo.InvariantCulture), [DeviceFolder.Card(card.Minor)]);
}

/// <summary>What makes devices visible in a container, by the strategies of NVIDIA's own plugin; nothing of shares.</summary>
internal static class DeviceAnswer
{
    private const string VolumeRoot = "/var/run/nvidia-container-devices";

    /// <param name="devices">In the container's order; one named twice is given once.</param>
    public static ContainerAllocateResponse For(IEnumerable<HandedDevice> devices, HandingOptions how, DeviceFolder folder)
    {
        var all = devices.DistinctBy(d => d.Uuid).ToList();
        List<string> ids = [.. all.Select(d => how.IdStrategy is DeviceIdStrategy.Index ? d.Index : d.Uuid)];
        List<int> channels = [.. folder.Channels(how)];
        var answer = new ContainerAllocateResponse();
        if (how.UsesCdi)
            AddCdi(answer, CdiSpec.Names(ids, channels, CdiSpec.Extras(how, folder).Select(e => e.Class)).ToList(), how);
        if (how.OnlyCdi)
            return answer;

        if (how.Lists(DeviceListStrategy.VolumeMounts))
        {
            // A runtime that sees both reads this one.
            answer.Envs["NVIDIA_VISIBLE_DEVICES"] = VolumeRoot;
            foreach (var name in ids.Concat(channels.Select(id => $"imex/{id}")))
                answer.Mounts.Add(new Mount { ContainerPath = $"{VolumeRoot}/{name}", HostPath = "/dev/null" });
        }
        else if (how.Lists(DeviceListStrategy.EnvVar))
        {
            answer.Envs["NVIDIA_VISIBLE_DEVICES"] = string.Join(',', ids);
            if (channels.Count > 0)
                answer.Envs["NVIDIA_IMEX_CHANNELS"] = string.Join(',', channels);
        }
        if (how.PassDeviceSpecs)
            answer.Devices.Add(folder.Common.Concat(all.SelectMany(d => d.Nodes)).Concat(channels.Select(DeviceFolder.ImexChannel)).Distinct(StringComparer.Ordinal)
                .Select(node => new DeviceSpec { ContainerPath = node, HostPath = how.DevRoot.TrimEnd('/') + node, Permissions = "rw" }));
        foreach (var (name, on) in new[] { ("NVIDIA_GDRCOPY", how.GdrCopy), ("NVIDIA_GDS", how.Gds), ("NVIDIA_MOFED", how.Mofed) })
            if (on)
                answer.Envs[name] = "enabled";
        return answer;
    }

    private static void AddCdi(ContainerAllocateResponse answer, List<string> names, HandingOptions how)
    {
        if (how.Lists(DeviceListStrategy.CdiAnnotations))
            answer.Annotations[$"{how.CdiAnnotationPrefix}nvidia-device-plugin_{Lot(names)}"] = string.Join(',', names);
        if (how.Lists(DeviceListStrategy.CdiCri))
            answer.CdiDevices.Add(names.Select(name => new CDIDevice { Name = name }));
    }

    // HAMi draws it by lot. Made from what it names, a repeated Allocate gives the same answer.
    private static Guid Lot(List<string> names) => new(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(',', names))).AsSpan(0, 16));
}
