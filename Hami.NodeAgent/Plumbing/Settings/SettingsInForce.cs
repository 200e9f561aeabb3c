namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>The settings as they are now, and a way to wait for the next change.</summary>
internal sealed class SettingsInForce(NodeSettings settings)
{
    private readonly Lock gate = new();
    private State now = new(settings);

    public NodeSettings Current => now.Settings;

    /// <summary>The settings, with a task that ends when they are no longer these.</summary>
    public (NodeSettings Settings, Task Changed) Watch()
    {
        var state = now;
        return (state.Settings, state.Changed.Task);
    }

    /// <summary>Returns false when nothing differs.</summary>
    public bool Set(NodeSettings settings)
    {
        State before;
        lock (gate)
        {
            if (now.Settings == settings)
                return false;
            before = now;
            now = new(settings);
        }
        before.Changed.SetResult();
        return true;
    }

    private sealed record State(NodeSettings Settings)
    {
        public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
