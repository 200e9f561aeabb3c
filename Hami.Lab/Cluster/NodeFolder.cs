namespace Hami.Lab.Cluster;

/// <summary>A lab node's files: what its kubelet, its agent and its containers read.</summary>
internal sealed record NodeFolder(LabNode Node, string Root)
{
    public string Kubelet => Path.Combine(Root, "kubelet");

    /// <summary>HAMi's hook path: the agent puts the library and the preload file into <c>vgpu/</c> below it.</summary>
    public string Hook => Path.Combine(Root, "hook");

    public string Lock => Path.Combine(Root, "lock");

    public string Driver => Path.Combine(Root, "driver.txt");

    public string Devices => Path.Combine(Root, "devices.yaml");

    /// <summary>Writes the cards, as they are on a real node, and makes the folders; the agent installs the interceptor.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(Hook);
        Directory.CreateDirectory(Lock);
        File.WriteAllText(Driver, Node.AsDriverFile());
        File.WriteAllText(Devices, Node.AsAgentFile());
    }
}
