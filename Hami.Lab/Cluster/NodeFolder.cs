namespace Hami.Lab.Cluster;

/// <summary>A lab node's files: what its kubelet, its agent and its containers read.</summary>
internal sealed record NodeFolder(LabNode Node, string Root)
{
    public string Kubelet => Path.Combine(Root, "kubelet");

    /// <summary>HAMi's hook path: the library and the preload file lie in <c>vgpu/</c> below it.</summary>
    public string Hook => Path.Combine(Root, "hook");

    public string Lock => Path.Combine(Root, "lock");

    public string Driver => Path.Combine(Root, "driver.txt");

    public string Devices => Path.Combine(Root, "devices.yaml");

    /// <summary>Writes the cards and installs the interceptor, as the chart's init container does on a real node.</summary>
    public void Prepare()
    {
        var vgpu = Path.Combine(Hook, "vgpu");
        Directory.CreateDirectory(vgpu);
        Directory.CreateDirectory(Lock);
        File.WriteAllText(Driver, Node.AsDriverFile());
        File.WriteAllText(Devices, Node.AsAgentFile());

        // Renamed into place: a process of the last run may still map the old library.
        var library = Path.Combine(vgpu, "libvgpu.so");
        File.Copy(Path.Combine(BuiltPrograms.Interceptor, "libvgpu.so"), library + ".new", overwrite: true);
        File.Move(library + ".new", library, overwrite: true);
        File.WriteAllText(Path.Combine(vgpu, "ld.so.preload"), library + "\n");
    }
}
