namespace Hami.Lab.Cluster;

/// <summary>A lab node's files: what its kubelet, its agent and its containers read.</summary>
internal sealed record NodeFolder(LabNode Node, string Root)
{
    public string Kubelet => Path.Combine(Root, "kubelet");

    /// <summary>HAMi's hook path: the agent puts the library and the preload file into <c>vgpu/</c> below it.</summary>
    public string Hook => Path.Combine(Root, "hook");

    public string Driver => Path.Combine(Root, "driver.txt");

    /// <summary>The MIG instances that exist on its cards, in the fake driver's words.</summary>
    public string MigInstances => Driver + ".mig";

    /// <summary>What of the machine's sysfs tells where cards sit.</summary>
    public string Sysfs => Path.Combine(Root, "sys");

    public string Devices => Path.Combine(Root, "devices.yaml");

    /// <summary>Writes the cards, as they are on a real node, and makes the folders; the agent installs the interceptor.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(Hook);
        File.WriteAllText(Driver, Node.AsDriverFile());
        File.WriteAllText(Devices, Node.AsAgentFile());
        foreach (var card in Node.Cards)
        {
            // Linux writes four digits of the domain, and small letters.
            var place = Directory.CreateDirectory(Path.Combine(Sysfs, "bus", "pci", "devices", card.BusId[4..].ToLowerInvariant()));
            File.WriteAllText(Path.Combine(place.FullName, "numa_node"), $"{card.Numa}\n");
        }
    }
}
