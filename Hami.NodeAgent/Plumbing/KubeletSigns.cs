namespace Hami.NodeAgent.Plumbing;

/// <summary>How many ListAndWatch streams the kubelet holds: none means that it has forgotten us.</summary>
internal sealed class PluginStreams
{
    private int open;

    public int Open => Volatile.Read(ref open);

    public void Enter() => Interlocked.Increment(ref open);

    public void Leave() => Interlocked.Decrement(ref open);
}

/// <summary>Tells whoever remembers what the kubelet was given that a new kubelet has started.</summary>
internal sealed class KubeletRestarts
{
    public event Action? Restarted;

    public void Happened() => Restarted?.Invoke();
}
