using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Registering;

/// <summary>An extended resource that the kubelet is told of.</summary>
/// <param name="Name">Such as <c>nvidia.com/gpu</c>.</param>
/// <param name="Folder">The kubelet's, where plugins have their sockets.</param>
/// <param name="Offers">Which of the plugin's optional calls the kubelet makes.</param>
internal sealed record PluginResource(string Name, string Folder, DevicePluginOptions Offers)
{
    public string Endpoint => EndpointOf(Name);

    public string Socket => Path.Combine(Folder, Endpoint);

    public string KubeletSocket => Path.Combine(Folder, "kubelet.sock");

    /// <summary>HAMi's name for the socket: <c>nvidia-</c> and what follows the slash in the resource's name.</summary>
    public static string EndpointOf(string name) => $"nvidia-{name[(name.IndexOf('/') + 1)..]}.sock";
}
