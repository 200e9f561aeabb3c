return await Hami.NodeAgent.Plumbing.CommandLine.Run(args);
